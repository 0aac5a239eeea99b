/**
 * The life of one registration, as a pure function: state and event in, next state and effects out.
 *
 * Why a machine: a registration fails in many orders (the lease lost while the key is fought over, etcd gone in the middle
 * of a claim, closed while it recovers), and each order must end registered again or withdrawn. Here every order can be read
 * and tested without a network or a clock; `registration.ts` carries the effects out.
 *
 * The drawing holds every transition, and a test compares it with the function. What is not drawn changes nothing.
 *
 *   granting    ─ granted ────────────▶ claiming      keep the lease alive, claim the keys
 *               ─ failed ─────────────▶ granting      again after a pause, with the same lease id
 *               ─ close ──────────────▶ draining
 *   claiming    ─ claimed ────────────▶ registered    guard the keys
 *               ─ taken ──────────────▶ superseded    somebody else owns them; give our lease back
 *               ─ lease-gone ─────────▶ granting
 *               ─ failed ─────────────▶ claiming      again after a pause
 *               ─ reelected ──────────▶ claiming      have a fresh lease granted beside the one that is kept
 *               ─ replaced ───────────▶ claiming      keep the fresh one too, claim the keys under it
 *               ─ close ──────────────▶ draining
 *   registered  ─ renewed ────────────▶ registered    not at once: look at the keys, and who leads now
 *               ─ overdue ────────────▶ suspect       2/3 of the TTL without a confirmation
 *               ─ expired ────────────▶ lost          we slept: a whole TTL is over at once
 *               ─ disturbed ──────────▶ claiming      deleted, overwritten, or its lease stripped
 *               ─ taken ──────────────▶ superseded
 *               ─ lease-gone ─────────▶ granting
 *               ─ changed ────────────▶ registered    write what the instance now says of itself
 *               ─ claimed ────────────▶ registered    written
 *               ─ failed ─────────────▶ registered    write again after a pause
 *               ─ reelected ──────────▶ registered    have a fresh lease granted beside the one that is kept
 *               ─ replaced ───────────▶ registered    keep the fresh one too, move the keys to it
 *               ─ close ──────────────▶ draining
 *   suspect     ─ renewed ────────────▶ registered    look at the keys: a renewed lease does not prove that they are there
 *               ─ expired ────────────▶ lost
 *               ─ disturbed ──────────▶ claiming
 *               ─ taken ──────────────▶ superseded
 *               ─ lease-gone ─────────▶ granting
 *               ─ changed ────────────▶ suspect
 *               ─ claimed ────────────▶ suspect
 *               ─ failed ─────────────▶ suspect
 *               ─ reelected ──────────▶ suspect
 *               ─ replaced ───────────▶ registered    the fresh lease is beyond doubt
 *               ─ close ──────────────▶ draining
 *   lost        ─ renewed ────────────▶ claiming      etcd was away and kept the lease; so do we, whoever leads now
 *               ─ replaced ───────────▶ claiming      the fresh lease was asked for before
 *               ─ disturbed ──────────▶ claiming
 *               ─ taken ──────────────▶ superseded
 *               ─ lease-gone ─────────▶ granting      only etcd's word makes a new lease
 *               ─ close ──────────────▶ draining
 *   superseded  ─ disturbed ──────────▶ granting      the other owner is gone
 *               ─ taken ──────────────▶ superseded    by yet another
 *               ─ close ──────────────▶ draining
 *   draining    ─ withdrawn ──────────▶ revoked
 */
import type { RegistrationStatus } from "../../registry.js";

export type State =
  /**
   * `first`: never registered so far, so the claim takes the keys over. `reason`: why they are made anew, otherwise, or why
   * that does not succeed.
   */
  | { readonly name: "granting"; readonly first: boolean; readonly reason?: string }
  | { readonly name: "claiming"; readonly first: boolean; readonly reason?: string }
  | { readonly name: "registered" }
  | { readonly name: "suspect"; readonly reason: string }
  | { readonly name: "lost"; readonly reason: string }
  | { readonly name: "superseded"; readonly by: string }
  | { readonly name: "draining" }
  | { readonly name: "revoked"; readonly reason?: string };

export type Event =
  /** What was asked of etcd: a lease, the keys, the end of both; or that a lease or the keys could not be had for now. */
  | { readonly type: "granted" | "claimed" }
  /** `reason`: why, where it will not pass by itself. */
  | { readonly type: "failed"; readonly reason?: string }
  | { readonly type: "withdrawn"; readonly reason?: string }
  /** What became of the lease; `lease-gone` is etcd's word for it. */
  | { readonly type: "renewed" | "overdue" | "expired" | "lease-gone" }
  /** The cluster has had an election since the lease was granted; a fresh one was granted beside it. */
  | { readonly type: "reelected" | "replaced" }
  /** What became of the keys: not as written and free to be written again, or somebody else's. */
  | { readonly type: "disturbed"; readonly reason: string }
  | { readonly type: "taken"; readonly by: string }
  /** What our own side wants. */
  | { readonly type: "changed" | "close" };

/**
 * - `grant`: ask for a lease; `claim`: write the keys; `retry-grant`, `retry-claim`: the same after a pause.
 * - `keep`: keep the granted lease alive; `forget`: stop, it is gone; `release`: stop and revoke whatever is held.
 * - `replace`: ask for a fresh lease beside the one that is kept, as often as it takes; `move`: keep that one too, until the
 *   keys are claimed under it and the one before is given back. `accept-term`: whoever leads now is no reason to replace it.
 * - `guard`: watch the keys from the last revision seen; `verify`: read them.
 * - `withdraw`: stop everything, then revoke the lease.
 */
export type Effect =
  | "grant"
  | "retry-grant"
  | "claim"
  | "retry-claim"
  | "keep"
  | "forget"
  | "release"
  | "replace"
  | "move"
  | "accept-term"
  | "guard"
  | "verify"
  | "withdraw";

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}

const leaseGoneReason = "etcd no longer knows its lease";
// Nobody who is awake sees the whole TTL pass without seeing two thirds of it pass before.
const stoodStillReason =
  "this process stood still (stopped, suspended, or its event loop blocked) until its TTL was over";
const unconfirmedReason = "etcd has not confirmed its lease for the whole TTL";

/** The step that `event` makes from `state`; the same state and no effects where nothing is drawn. */
export function transition(state: State, event: Event): Step {
  if (event.type === "close" && state.name !== "draining" && state.name !== "revoked") {
    return to({ name: "draining" }, "withdraw");
  }
  switch (state.name) {
    case "granting":
      if (event.type === "granted") return to({ ...state, name: "claiming" }, "keep", "claim");
      if (event.type === "failed") return to({ ...state, ...reasonOf(event) }, "retry-grant");
      break;
    case "claiming":
      if (event.type === "claimed") return to({ name: "registered" }, "guard");
      if (event.type === "taken") return superseded(event.by);
      if (event.type === "lease-gone")
        return to({ reason: leaseGoneReason, ...state, name: "granting" }, "forget", "grant");
      if (event.type === "failed") return to({ ...state, ...reasonOf(event) }, "retry-claim");
      if (event.type === "reelected") return to(state, "replace");
      if (event.type === "replaced") return to(state, "move", "claim");
      break;
    case "registered":
      if (event.type === "renewed") return to(state, "verify");
      if (event.type === "overdue") {
        return to({ name: "suspect", reason: "etcd has not confirmed its lease for two thirds of the TTL" });
      }
      return whileHeld(state, event);
    case "suspect":
      if (event.type === "renewed") return to({ name: "registered" }, "verify");
      return whileHeld(state, event);
    case "lost":
      if (event.type === "renewed") return to(remaking("claiming", state.reason), "accept-term", "claim");
      if (event.type === "replaced") return to(remaking("claiming", state.reason), "move", "claim");
      if (event.type === "disturbed") return to(remaking("claiming", event.reason), "accept-term", "claim");
      if (event.type === "taken") return superseded(event.by);
      if (event.type === "lease-gone") return to(remaking("granting", leaseGoneReason), "forget", "grant");
      break;
    case "superseded":
      if (event.type === "disturbed") return to(remaking("granting", "its other owner is gone"), "grant");
      if (event.type === "taken" && event.by !== state.by) return to({ name: "superseded", by: event.by });
      break;
    case "draining":
      if (event.type === "withdrawn") return to({ name: "revoked", ...reasonOf(event) });
      break;
  }
  return { state, effects: [] };
}

/** What a user is told of the state. */
export function statusOf(state: State): RegistrationStatus {
  switch (state.name) {
    case "granting":
    case "claiming":
      return { state: "lost", reason: state.reason ?? "it is being registered" };
    case "superseded":
      return { state: "superseded", reason: `another registrar owns its key: ${state.by}`, by: state.by };
    case "revoked":
      return state.reason === undefined ? { state: "closed" } : { state: "closed", reason: state.reason };
    case "suspect":
    case "lost":
      return { state: state.name, reason: state.reason };
    default:
      return { state: state.name };
  }
}

/** `registered` and `suspect` differ only in how sure we are of the lease. */
function whileHeld(state: State & { readonly name: "registered" | "suspect" }, event: Event): Step {
  switch (event.type) {
    case "expired":
      return to({ name: "lost", reason: state.name === "registered" ? stoodStillReason : unconfirmedReason });
    case "disturbed":
      return to(remaking("claiming", event.reason), "claim");
    case "taken":
      return superseded(event.by);
    case "lease-gone":
      return to(remaking("granting", leaseGoneReason), "forget", "grant");
    case "changed":
      return to(state, "claim");
    case "claimed":
      return to(state, "guard");
    case "failed":
      return to(state, "retry-claim");
    case "reelected":
      return to(state, "replace");
    case "replaced":
      return to({ name: "registered" }, "move", "claim");
    default:
      return { state, effects: [] };
  }
}

function reasonOf({ reason }: { readonly reason?: string }): { readonly reason?: string } {
  return reason === undefined ? {} : { reason };
}

function superseded(by: string): Step {
  return to({ name: "superseded", by }, "release", "guard");
}

function remaking(name: "granting" | "claiming", reason: string): State {
  return { name, first: false, reason };
}

function to(state: State, ...effects: readonly Effect[]): Step {
  return { state, effects };
}
