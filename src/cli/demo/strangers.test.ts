import { startEmbedded } from "rollcall/embedded";
import { etcd } from "rollcall/etcd";
import { expect, test } from "vitest";
import { UsageError } from "../usage-error.js";
import { refuseStrangers } from "./strangers.js";

test("a server that is none of the demo's is refused by name, and the demo's own are not", async () => {
  await using embedded = await startEmbedded();
  await using registry = etcd({ endpoints: [embedded.endpoint] });
  const { signal } = new AbortController();
  const own = new Set(["127.0.0.1:50051", "127.0.0.1:50052"]);
  for (const address of own) await registry.register("book", { address });
  await refuseStrangers(own, [embedded.endpoint], signal);

  await registry.register("book", { address: "127.0.0.1:6001" });
  const refused = refuseStrangers(own, [embedded.endpoint], signal);
  await expect(refused).rejects.toThrow(UsageError);
  await expect(refused).rejects.toThrow(/^127\.0\.0\.1:6001 registered as "book"/);
});
