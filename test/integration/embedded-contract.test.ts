import { type EmbeddedRegistry, startEmbedded } from "rollcall/embedded";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EtcdMember, startEtcd } from "../support/etcd.js";
import { scenarios } from "../support/etcd-contract.js";
import { EtcdTranscript } from "../support/etcd-transcript.js";

describe.each(["3.5", "3.4"] as const)("the embedded registry answers as etcd %s does", (version) => {
  let embedded: EmbeddedRegistry;
  let real: EtcdMember;
  let transcripts = 0;

  beforeAll(async () => {
    [embedded, real] = await Promise.all([startEmbedded(), startEtcd({ version })]);
  });
  afterAll(() => Promise.all([embedded?.close(), real?.stop()]));

  describe.each(Object.entries(scenarios))("%s", (_, group) => {
    for (const { name, notBefore35, run } of group) {
      it.skipIf(version === "3.4" && notBefore35)(
        notBefore35 ? `${name} (not 3.4: ${notBefore35})` : name,
        async () => {
          const prefix = `/contract/${String(transcripts++).padStart(3, "0")}/`;
          const [expected, actual] = await Promise.all(
            [real.endpoint, embedded.endpoint].map(async (endpoint) => {
              const etcd = await EtcdTranscript.open(endpoint, prefix);
              try {
                await run(etcd);
              } finally {
                etcd.close();
              }
              return etcd.lines;
            }),
          );
          expect(expected).not.toHaveLength(0);
          expect(actual).toEqual(expected);
        },
      );
    }
  });
});
