/**
 * Once all is healed, every `register()` has returned, and every key stands that somebody wants, under the lease of one who
 * wants it and with what he said last; no lease holds a key that nobody wants any more; and from then on nothing happens to
 * the keys, but that they move to a fresh lease, as they are, when a busy machine has made etcd elect a leader.
 */
import { signatureOf } from "../truth.js";
import type { Check, Violation } from "./check.js";

// The elections of a busy machine while all is watched once it has settled.
const MOST_MOVES = 2;

export const liveness: Check = ({ intents, final, settled, lives }) => {
  const violations: Violation[] = [];
  const complain = (atMs: number, what: string) => violations.push({ check: "liveness", atMs, what });

  const wanted = intents.filter(({ endedAtMs }) => endedAtMs === undefined);
  for (const { writer, registered } of wanted) {
    if (!registered) complain(final.atMs, `register() of ${writer} has not returned`);
  }
  for (const key of new Set(wanted.map((intent) => intent.key))) {
    const stored = final.entries.get(key);
    const wanting = wanted.filter((intent) => intent.key === key);
    const who = wanting.map(({ writer, updates }) => `${writer} after ${updates} updates`).join(", ");
    const { writer, update = "0" } = signatureOf(stored?.value ?? "");
    if (!stored) complain(final.atMs, `${key} is missing; it should be of ${who}`);
    else if (stored.lease === 0n) complain(final.atMs, `${key} has no lease; it should be of ${who}`);
    else if (!wanting.some((intent) => intent.writer === writer && `${intent.updates}` === update)) {
      complain(final.atMs, `${key} is ${stored.value}; it should be of ${who}`);
    }
  }
  for (const [key, { value, lease }] of final.entries) {
    if (lease === 0n || wanted.some((intent) => intent.key === key)) continue;
    complain(final.atMs, `${key} is still held by lease ${lease.toString(16)}: ${value}`);
  }
  const before = new Map<string, { readonly value?: string; readonly lease: bigint; readonly moves: number }>();
  for (const { key, value, lease, modRevision, atMs } of lives.at(-1)?.events ?? []) {
    const last = before.get(key);
    const isMove = lease !== 0n && lease !== last?.lease && value === last?.value;
    const hasSettled = settled !== undefined && modRevision > settled.revision;
    const moves = (last?.moves ?? 0) + (isMove && hasSettled ? 1 : 0);
    before.set(key, { ...(value !== undefined && { value }), lease, moves });
    if (!hasSettled || (isMove && moves <= MOST_MOVES)) continue;
    const what = value === undefined ? "deleted" : `written as ${value}`;
    complain(atMs, `${key} was ${what} at revision ${modRevision}, when all had settled`);
  }
  return violations;
};
