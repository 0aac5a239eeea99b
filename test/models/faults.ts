/** What can go wrong, as plain values, so that a test that fails prints what happened. */
import fc from "fast-check";
import type { Fate } from "./etcd/client.js";
import type { Rebuild } from "./etcd/cluster.js";

export type Fault =
  | { readonly do: "pass"; readonly ms: number }
  /** What becomes of the next request of a process. */
  | { readonly do: "fate"; readonly process: number; readonly fate: Fate }
  | {
      readonly do: "partition" | "heal" | "cut streams" | "stop process" | "continue process";
      readonly process: number;
    }
  | { readonly do: "cut after messages"; readonly process: number; readonly messages: number }
  | { readonly do: "slow streams" | "slow calls"; readonly process: number; readonly ms: number }
  | { readonly do: "hang member" | "stop member" | "lag member" | "restore member"; readonly member: number }
  | { readonly do: "restore all members" | "elect" }
  /** Without a reason they are not answered at all. */
  | { readonly do: "refuse watches"; readonly reason?: string | undefined; readonly times: number }
  | { readonly do: "cancel watches"; readonly reason: string }
  | { readonly do: "compact"; readonly keep: number }
  | { readonly do: "lie on renewals"; readonly times: number }
  | { readonly do: "rebuild"; readonly how: Rebuild; readonly lost: number };

const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const UNAUTHENTICATED = 16;
// From the same moment to one in which a TTL ends several times; the longest lets a quiet watch ask for progress.
const PASSES_MS = [0, 1, 2, 40, 400, 1_500, 4_000, 9_000, 25_000, 170_000];

const process = fc.nat(2);
const member = fc.nat(2);
const times = fc.integer({ min: 1, max: 3 });
const reason = fc.constantFrom(
  "rpc error: code = PermissionDenied desc = etcdserver: permission denied",
  "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token",
  "etcdserver: no leader",
  "",
);
const rebuild = fc.constantFrom<Rebuild>(
  "empty, another id",
  "empty, the same id and a lower term",
  "empty, the same id and term",
  "from a snapshot, another id",
  "from a snapshot, the same id and a lower term",
  "from a snapshot, the same id and term",
);

const fate: fc.Arbitrary<Fate> = fc.oneof(
  fc.constantFrom<Fate>({ kind: "lost" }, { kind: "unanswered" }, { kind: "resent" }),
  fc.constantFrom(100, 2_000, 8_000).map((afterMs): Fate => ({ kind: "echoed", afterMs })),
  fc
    .record({ thereMs: fc.constantFrom(1, 300, 2_500, 7_000), backMs: fc.constantFrom(1, 300, 2_500) })
    .map((delays): Fate => ({ kind: "slow", ...delays })),
  fc.constantFrom<Fate>(
    { kind: "refused", code: PERMISSION_DENIED, details: "etcdserver: permission denied" },
    { kind: "refused", code: RESOURCE_EXHAUSTED, details: "etcdserver: mvcc: database space exceeded" },
    { kind: "refused", code: UNAUTHENTICATED, details: "etcdserver: invalid auth token" },
  ),
);

export const pass: fc.Arbitrary<Fault> = fc.constantFrom(...PASSES_MS).map((ms) => ({ do: "pass", ms }));

export const fault: fc.Arbitrary<Fault> = fc.oneof(
  often(6, { do: fc.constant("fate"), process, fate }),
  often(3, { do: fc.constant("cut streams"), process }),
  often(3, { do: fc.constant("cut after messages"), process, messages: times }),
  often(3, { do: fc.constantFrom("partition", "heal", "stop process", "continue process"), process }),
  often(3, { do: fc.constantFrom("slow streams", "slow calls"), process, ms: fc.constantFrom(1, 30, 700) }),
  often(4, { do: fc.constantFrom("hang member", "stop member", "lag member"), member }),
  often(2, { do: fc.constant("restore member"), member }),
  often(3, { do: fc.constantFrom("restore all members", "elect") }),
  often(2, { do: fc.constant("refuse watches"), reason: fc.option(reason, { nil: undefined }), times }),
  often(1, { do: fc.constant("cancel watches"), reason }),
  often(3, { do: fc.constant("compact"), keep: fc.nat(3) }),
  often(1, { do: fc.constant("lie on renewals"), times }),
  often(1, { do: fc.constant("rebuild"), how: rebuild, lost: fc.nat(6) }),
);

/** The fields of each are those of one fault; fast-check would widen their literals. */
function often(weight: number, fields: Record<string, fc.Arbitrary<unknown>>): fc.WeightedArbitrary<Fault> {
  return { weight, arbitrary: fc.record(fields) as unknown as fc.Arbitrary<Fault> };
}
