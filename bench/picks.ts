/**
 * What a pick costs, with the end of its call, for each strategy and size of the set, beside the pickers of grpc-js. 64 calls
 * are in progress all the time. Every contender takes a block in turn, so that a busy machine disturbs all alike. What it
 * allocates is measured in a process of its own, `picks.js NAME`: where all run in one, V8 finds no common shape of them and
 * keeps their numbers on the heap, which a program with one balancer is spared.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import {
  type BalancerOptions,
  balance,
  balancerNamed,
  balancerNames,
  type Endpointer,
  endpoints,
  maglev,
  type Pick,
  rendezvous,
  ringHash,
  type Strategy,
} from "rollcall";
import { manualMembership } from "rollcall/testing";
import { type GrpcJsPicker, grpcJsRoundRobin, grpcJsWeightedRoundRobin } from "./support/grpc-js-pickers.js";
import { figure, report } from "./support/report.js";
import { median } from "./support/statistics.js";

const SIZES = [3, 10, 100, 1_000, 10_000];
const IN_PROGRESS = 64;
const BLOCKS = 9;
const BLOCK = 20_000;
/** Where every pick looks at everybody. */
const BLOCK_OF_SLOW = 500;
const ALLOCATED_OF = 100;
/** What is not a pick's, as the look at the peers in every 10 ms and V8's own, is less than a byte of so many. */
const ALLOCATED_BLOCK = 200_000;
/** V8 allocates whole words. */
const WORD = 8;
const KEYS = Array.from({ length: 256 }, (_, n) => ({ hashKey: `user-${n}` }));
const OK = { kind: "ok", reached: "maybe-seen" } as const;

/** Makes so many picks, and ends as many calls. */
type Contender = (picks: number) => void;

function ours(endpointer: Endpointer<string>, strategy: Strategy, options: BalancerOptions = {}): Contender {
  const balancer = balance(endpointer, strategy, options);
  const calls: (Pick<string> | undefined)[] = Array.from({ length: IN_PROGRESS });
  let turn = 0;
  return (picks) => {
    for (let n = 0; n < picks; n += 1) {
      turn = (turn + 1) % IN_PROGRESS;
      calls[turn]?.done(OK);
      calls[turn] = balancer.pick(KEYS[n & 255]) as Pick<string>; // somebody is always ready
    }
  };
}

function theirs(picker: GrpcJsPicker): Contender {
  const args = { metadata: undefined, extraPickInfo: {} };
  const calls: unknown[] = Array.from({ length: IN_PROGRESS });
  let turn = 0;
  return (picks) => {
    for (let n = 0; n < picks; n += 1) {
      turn = (turn + 1) % IN_PROGRESS;
      calls[turn] = picker.pick(args);
    }
  };
}

function contendersFor(addresses: readonly string[]): ReadonlyMap<string, Contender> {
  const membership = manualMembership();
  membership.live(...addresses);
  const endpointer = endpoints(membership, (instance) => ({ client: instance.address }));
  const named = balancerNames.map((name): [string, Contender] => {
    const { strategy, metric } = balancerNamed(name);
    return [name, ours(endpointer, strategy, { metric })];
  });
  const { strategy, metric } = balancerNamed("p2c");
  return new Map([
    ...named,
    ["p2c, ejection on", ours(endpointer, strategy, { metric, ejection: {} })],
    ["ring-hash", ours(endpointer, ringHash())],
    ["maglev", ours(endpointer, maglev())],
    ["rendezvous", ours(endpointer, rendezvous())],
    ["grpc-js round_robin", theirs(grpcJsRoundRobin(addresses))],
    ["grpc-js weighted_round_robin", theirs(grpcJsWeightedRoundRobin(addresses))],
  ]);
}

const looksAtAll = new Set(["least-request", "rendezvous"]);

/** Nanoseconds of a pick and its end. */
function measure(contenders: ReadonlyMap<string, Contender>): ReadonlyMap<string, number> {
  const blockOf = (name: string) => (looksAtAll.has(name) ? BLOCK_OF_SLOW : BLOCK);
  const times = new Map<string, number[]>();
  for (const [name, pick] of contenders) {
    pick(2 * blockOf(name));
    times.set(name, []);
  }
  for (let block = 0; block < BLOCKS; block += 1) {
    for (const [name, pick] of contenders) {
      const before = process.cpuUsage();
      pick(blockOf(name));
      const { user, system } = process.cpuUsage(before);
      times.get(name)?.push(((user + system) * 1_000) / blockOf(name));
    }
  }
  return new Map([...times].map(([name, ns]) => [name, median(ns)]));
}

/**
 * Tells the parent the bytes of a pick, in whole words: of so few that nothing is collected meanwhile, and after so many that
 * V8 has compiled all of it, as in a program that has run for some seconds.
 */
function tellAllocated(name: string): void {
  const pick = contendersFor(addressesOf(ALLOCATED_OF)).get(name) ?? (() => {});
  const picks = looksAtAll.has(name) ? BLOCK_OF_SLOW : ALLOCATED_BLOCK;
  for (let n = 0; n < 10; n += 1) pick(picks);
  const bytes = Array.from({ length: 5 }, () => {
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    pick(picks);
    return (process.memoryUsage().heapUsed - before) / picks;
  });
  process.stdout.write(String(WORD * Math.round(median(bytes) / WORD)));
}

/** Of several processes, since what V8 inlines depends on when its compiler's thread had its turn. */
function allocated(name: string): number {
  const flags = ["--expose-gc", "--min-semi-space-size=256", "--max-semi-space-size=256"]; // MiB: room for a block
  const args = [...flags, fileURLToPath(import.meta.url), name];
  return median(Array.from({ length: 5 }, () => Number(execFileSync(process.execPath, args, { encoding: "utf8" }))));
}

function addressesOf(size: number): string[] {
  return Array.from({ length: size }, (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}:50051`);
}

const [onlyAllocated] = process.argv.slice(2);
if (onlyAllocated !== undefined) {
  tellAllocated(onlyAllocated);
  process.exit();
}

const costs = new Map(SIZES.map((size) => [size, measure(contendersFor(addressesOf(size)))]));
const costOf = (size: number, name: string) => costs.get(size)?.get(name) ?? Number.NaN;
const growth = (name: string, size: number) => costOf(size, name) / costOf(10, name);
const names = [...(costs.get(10)?.keys() ?? [])];
const bytes = new Map(names.map((name) => [name, allocated(name)]));
const bytesOf = (name: string) => bytes.get(name) ?? Number.NaN;

report({
  bench: "picks",
  about: `Nanoseconds of CPU for a pick and the end of its call (\`balancer.pick()\`, \`pick.done()\`), median of ${BLOCKS} blocks of ${BLOCK} (of ${BLOCK_OF_SLOW} where a pick looks at everybody), ${IN_PROGRESS} calls in progress. grpc-js's part is its \`picker.pick()\` alone, which hears of no end.`,
  targets: [
    { what: "p2c, 1,000 endpoints beside 10", atMost: 1.5, unit: " ×", measured: growth("p2c", 1_000) },
    { what: "p2c, 10,000 endpoints beside 10", atMost: 3, unit: " ×", measured: growth("p2c", 10_000) },
    ...["p2c", "p2c:pending"].map((name) => ({
      what: `${name}, bytes of a pick beyond those of \`round-robin\`, which are the pick itself`,
      atMost: 0,
      unit: " B",
      measured: bytesOf(name) - bytesOf("round-robin"),
    })),
  ],
  details: [
    `| ns | ${SIZES.map((size) => size.toLocaleString("en")).join(" | ")} | bytes a pick, of ${ALLOCATED_OF} |`,
    `|---|${"---:|".repeat(SIZES.length + 1)}`,
    ...names.map(
      (name) =>
        `| ${name} | ${SIZES.map((size) => figure(costOf(size, name))).join(" | ")} | ${figure(bytesOf(name))} |`,
    ),
  ],
});
process.exit();
