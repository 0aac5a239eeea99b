/** What a call says while no registry answers: enough to know where to look, before any deadline that people use. */
import { createServer } from "node:net";
import { client, type Logger } from "rollcall";
import { etcd } from "rollcall/etcd";
import { describe, expect, it } from "vitest";
import { freePorts, startEtcd } from "../support/etcd.js";

const CONNECT = ({ address }: { readonly address: string }) => ({ client: address });

/** What a call with `timeoutMs` is told. */
async function told(options: Omit<Parameters<typeof etcd>[0], "logger">, timeoutMs = 1_500) {
  const warnings: string[] = [];
  const logger: Logger = { warn: (message) => void warnings.push(message), info() {} };
  await using registry = etcd({ ...options, logger });
  await using quotes = client({ registry, service: "quotes", connect: CONNECT, timeoutMs });
  const error = await quotes.call(async () => "never").catch((reason) => reason);
  return { error, warnings };
}

describe("a call while etcd is down", () => {
  it("names the service, the members and what happened there before a short deadline", async () => {
    const [first, second] = await freePorts(2);
    const { error } = await told({ endpoints: [`127.0.0.1:${first}`, `127.0.0.1:${second}`] });
    expect(error.code).toBe("REGISTRY_UNAVAILABLE");
    for (const part of [
      '"quotes"',
      `connect ECONNREFUSED 127.0.0.1:${first}`,
      `connect ECONNREFUSED 127.0.0.1:${second}`,
    ]) {
      expect(error.message).toContain(part);
      if (part !== '"quotes"') expect(error.cause.message).toContain(part);
    }
  });

  it("does so with a user and a password too", async () => {
    const [port] = await freePorts(1);
    const { error } = await told({ endpoints: [`127.0.0.1:${port}`], user: "quotes", password: "secret" });
    expect(error.message).toContain(`connect ECONNREFUSED 127.0.0.1:${port}`);
  });

  it("names a member that accepts connections and says nothing, and a host that does not exist", async () => {
    const mute = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => mute.once("listening", resolve));
    const { port } = mute.address() as { port: number };
    const silent = await told({ endpoints: [`127.0.0.1:${port}`] }, 1_500);
    expect(silent.error.message).toContain(`127.0.0.1:${port}`);
    mute.close();
    const nowhere = await told({ endpoints: ["nosuch.invalid:2379"] }, 3_000);
    expect(nowhere.error.message).toContain("nosuch.invalid:2379");
  });

  it("is warned of on stderr's logger by 2 s, with the same reason", async () => {
    const [port] = await freePorts(1);
    const { warnings } = await told({ endpoints: [`127.0.0.1:${port}`] }, 3_000);
    expect(warnings).toEqual([expect.stringMatching(/^the view of "quotes" is not known yet: .*ECONNREFUSED/)]);
  });

  it("hears nothing of a member that is down while another answers", async () => {
    await using member = await startEtcd();
    const [down] = await freePorts(1);
    const { error, warnings } = await told({ endpoints: [`127.0.0.1:${down}`, member.endpoint] }, 1_500);
    expect(error.message).toContain('the registry holds no instance of "quotes"');
    expect(warnings).toEqual([]);
  });
});
