/**
 * A scenario: who calls, who answers, and what goes wrong when. It is data, so that it can be a file.
 *
 * Times are milliseconds since the beginning; what has no end lasts until the scenario's.
 */
import type { Latency } from "./latency.js";

export interface Scenario {
  /** What it is called in tables and on the command line. */
  readonly name: string;
  /** One line: what happens. */
  readonly description: string;
  /** For how long calls begin. Those in progress then are waited for. */
  readonly durationMs: number;
  /** Calls a second, of all clients together. They come when they come, however slow the answers are. */
  readonly rate: number;
  /** `poisson` (the default), as many independent callers make them, or at `even` distances. */
  readonly arrivals?: "poisson" | "even";
  /** Clients with a view of their own each, as processes have; the calls are dealt out among them at random. Default 1. */
  readonly clients?: number;
  /** The deadline of a call; default 10,000 ms, as of `client()`. */
  readonly timeoutMs?: number;
  /** Whether calls may be repeated although a server may have seen them; default true. */
  readonly idempotent?: boolean;
  readonly servers: readonly ServerGroup[];
}

/** Each is kept until the end: more would not fit into the memory that Node takes. */
export const MOST_CALLS = 5_000_000;

/** How many calls begin in one run, on average. */
export function callsOf({ durationMs, rate }: Scenario): number {
  return Math.round((durationMs / 1_000) * rate);
}

/** Servers that are alike. */
export interface ServerGroup {
  /** What reports call them, with a number where several have it: `server-1`; default `server`. */
  readonly name?: string;
  /** How many; default 1. */
  readonly count?: number;
  /** How long one call takes once it is begun. */
  readonly latency: Latency;
  /** How many calls one server works on at a time, the others wait in order; default without bound. */
  readonly workers?: number;
  /** As registered. */
  readonly weight?: number;
  readonly zone?: string;
  /** When they are registered; default from the beginning. */
  readonly joinMs?: number;
  /** When they are deregistered; they finish what they have. */
  readonly leaveMs?: number;
  /** When they are not as they should be. Of several at a time the first in the list counts; `pauses` holds beside others. */
  readonly phases?: readonly Phase[];
}

/** A time in which a server is not as it should be. */
export type Phase = { readonly fromMs: number; readonly untilMs?: number } & Condition;

export type Condition =
  /** Calls take as long as `latency` says. */
  | { readonly condition: "answers"; readonly latency: Latency }
  /** Calls take `factor` times as long. */
  | { readonly condition: "slow"; readonly factor: number }
  /** Calls take `factor` times as long at first, and less and less until `untilMs`: a cache fills, a compiler compiles. */
  | { readonly condition: "cold"; readonly factor: number }
  /** A `share` of the calls (default 1, all) fails after `afterMs`, as UNAVAILABLE; the others are answered as ever. */
  | { readonly condition: "fails"; readonly afterMs: number; readonly share?: number }
  /** Calls are taken and never answered, nor are those that it had. */
  | { readonly condition: "hangs" }
  /** Nothing goes on, as while a process is stopped or collects garbage: calls are taken, and all that it has goes on at the end. */
  | { readonly condition: "pauses"; readonly untilMs: number }
  /** The process is gone: the calls that it had fail, connections are refused, and made again within a second after the end. */
  | { readonly condition: "down" };

/** The phase that `group` is in. */
export function phaseAt(group: ServerGroup, nowMs: number): Phase | undefined {
  return group.phases?.find(({ fromMs, untilMs = Number.POSITIVE_INFINITY }) => fromMs <= nowMs && nowMs < untilMs);
}

/** When work of `workMs` that is begun at `nowMs` is done: it stands still during each pause of `group`. */
export function doneAt({ phases = [] }: ServerGroup, nowMs: number, workMs: number): number {
  const pauses = phases.filter((phase) => phase.condition === "pauses").sort((a, b) => a.fromMs - b.fromMs);
  let pausedUntilMs = nowMs;
  let doneMs = nowMs + workMs;
  for (const { fromMs, untilMs } of pauses) {
    if (untilMs <= pausedUntilMs || doneMs <= fromMs) continue;
    doneMs += untilMs - Math.max(fromMs, pausedUntilMs);
    pausedUntilMs = untilMs;
  }
  return doneMs;
}

/** One server of a scenario. */
export interface DescribedServer {
  readonly name: string;
  readonly address: string;
  readonly group: ServerGroup;
}

/** All servers, in the order in which recordings and summaries count them. */
export function serversOf({ servers }: Scenario): readonly DescribedServer[] {
  const each = servers.flatMap((group) => Array.from({ length: group.count ?? 1 }, () => group));
  const names = numbered(each.map(({ name = "server" }) => name));
  return each.map((group, place) => ({
    name: names[place] ?? "server",
    address: `10.${place >> 16}.${(place >> 8) & 255}.${place & 255}:80`,
    group,
  }));
}

/** Those that occur more than once with a number behind, from 1 on. */
function numbered(names: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  const places = names.map((name) => {
    const place = (counts.get(name) ?? 0) + 1;
    counts.set(name, place);
    return place;
  });
  return names.map((name, index) => (counts.get(name) === 1 ? name : `${name}-${places[index]}`));
}
