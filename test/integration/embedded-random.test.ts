import fc from "fast-check";
import { type EmbeddedRegistry, startEmbedded } from "rollcall/embedded";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type EtcdMember, startEtcd } from "../support/etcd.js";
import { bytes, EtcdTranscript } from "../support/etcd-transcript.js";

const SEED = 20261;
const RUNS = 40;
const COMMANDS = 30;

let embedded: EmbeddedRegistry;
let real: EtcdMember;

beforeAll(async () => {
  [embedded, real] = await Promise.all([startEmbedded(), startEtcd()]);
});
afterAll(() => Promise.all([embedded?.close(), real?.stop()]));

/** A request as it will be once the transcript says what its keys and revisions are. */
type Part<T> = (etcd: EtcdTranscript) => T;
type Command = Part<{ readonly method: string; readonly request: Record<string, unknown> }>;

const name = fc.constantFrom("a", "aa", "b", "b/c", "c");
const revision: fc.Arbitrary<Part<bigint>> = fc.oneof(
  { weight: 2, arbitrary: fc.constant(() => 0n) },
  {
    weight: 3,
    arbitrary: fc.integer({ min: 0, max: COMMANDS + 3 }).map((offset) => (etcd: EtcdTranscript) => etcd.at(offset)),
  },
);
const rangeEnd: fc.Arbitrary<Part<Uint8Array>> = fc.oneof(
  fc.constant(() => new Uint8Array()),
  fc.constantFrom("a", "b", "b0", "z").map(
    (end): Part<Uint8Array> =>
      (etcd) =>
        etcd.key(end),
  ),
);
const flag = fc.boolean();

const put = fc
  .record({ name, value: fc.constantFrom("", "1", "2", "longer"), prevKv: flag, keep: fc.integer({ max: 9, min: 0 }) })
  .map(({ name, value, prevKv, keep }) => (etcd: EtcdTranscript) => ({
    key: etcd.key(name),
    value: bytes(keep === 1 ? "" : value),
    prevKv,
    ignoreValue: keep === 1,
    ignoreLease: keep === 2,
  }));
const deleteRange = fc
  .record({ name, rangeEnd, prevKv: flag })
  .map(({ name, rangeEnd, prevKv }) => (etcd: EtcdTranscript) => ({
    key: etcd.key(name),
    rangeEnd: rangeEnd(etcd),
    prevKv,
  }));
const range = fc
  .record({
    name,
    rangeEnd,
    revision,
    limit: fc.integer({ min: 0, max: 3 }),
    sortOrder: fc.integer({ min: 0, max: 2 }),
    sortTarget: fc.integer({ min: 0, max: 4 }),
    keysOnly: flag,
    countOnly: fc.integer({ min: 0, max: 5 }),
    minModRevision: revision,
    maxCreateRevision: revision,
  })
  .map((fields) => (etcd: EtcdTranscript) => ({
    key: etcd.key(fields.name),
    rangeEnd: fields.rangeEnd(etcd),
    revision: fields.revision(etcd),
    limit: BigInt(fields.limit),
    sortOrder: fields.sortOrder,
    sortTarget: fields.sortTarget,
    keysOnly: fields.keysOnly,
    countOnly: fields.countOnly === 0,
    minModRevision: fields.minModRevision(etcd),
    maxCreateRevision: fields.maxCreateRevision(etcd),
  }));

const operation = fc.oneof(
  put.map((value) => (etcd: EtcdTranscript) => ({ request: { case: "requestPut", value: value(etcd) } })),
  deleteRange.map((value) => (etcd: EtcdTranscript) => ({
    request: { case: "requestDeleteRange", value: value(etcd) },
  })),
  range.map((value) => (etcd: EtcdTranscript) => ({ request: { case: "requestRange", value: value(etcd) } })),
);
const targets = ["version", "createRevision", "modRevision", "value", "lease"] as const;
const compare = fc
  .record({ name, rangeEnd, result: fc.integer({ min: 0, max: 3 }), target: fc.integer({ min: 0, max: 4 }), revision })
  .map(({ name, rangeEnd, result, target, revision }) => (etcd: EtcdTranscript) => {
    const union = targets[target];
    const byRevision = union === "createRevision" || union === "modRevision";
    const value = union === "value" ? bytes("1") : byRevision ? revision(etcd) : 1n;
    return { key: etcd.key(name), rangeEnd: rangeEnd(etcd), result, target, targetUnion: { case: union, value } };
  });
const operations = fc.array(operation, { maxLength: 4 });
const txn = fc
  .record({ compare: fc.array(compare, { maxLength: 2 }), success: operations, failure: operations })
  .map(({ compare, success, failure }) => (etcd: EtcdTranscript) => ({
    compare: compare.map((part) => part(etcd)),
    success: success.map((part) => part(etcd)),
    failure: failure.map((part) => part(etcd)),
  }));
const compact = revision.map((revision) => (etcd: EtcdTranscript) => ({ revision: revision(etcd) }));

function as(method: string, request: fc.Arbitrary<Part<Record<string, unknown>>>): fc.Arbitrary<Command> {
  return request.map((part) => (etcd) => ({ method, request: part(etcd) }));
}

const command = fc.oneof(
  { weight: 6, arbitrary: as("put", put) },
  { weight: 2, arbitrary: as("deleteRange", deleteRange) },
  { weight: 5, arbitrary: as("range", range) },
  { weight: 5, arbitrary: as("txn", txn) },
  { weight: 1, arbitrary: as("compact", compact) },
);

it("random requests get equal answers, and equal events, from the embedded registry and from etcd", async () => {
  let transcripts = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: COMMANDS }), async (commands) => {
      const prefix = `/random/${String(transcripts++).padStart(4, "0")}/`;
      const [expected, actual] = await Promise.all([
        transcript(real.endpoint, prefix, commands),
        transcript(embedded.endpoint, prefix, commands),
      ]);
      expect(actual).toEqual(expected);
    }),
    { seed: SEED, numRuns: RUNS, endOnFailure: true },
  );
});

async function transcript(endpoint: string, prefix: string, commands: readonly Command[]): Promise<unknown[]> {
  const etcd = await EtcdTranscript.open(endpoint, prefix);
  try {
    const watch = etcd.watch();
    await watch.create("a", { rangeEnd: etcd.key("c"), prevKv: true });
    for (const command of commands) {
      const { method, request } = command(etcd);
      await etcd.call(method, request);
    }
    await watch.rest();
    watch.close();
  } finally {
    etcd.close();
  }
  return etcd.lines;
}
