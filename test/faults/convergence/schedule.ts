/**
 * What happens in one run of the convergence check, as data: who takes part, and what is done to whom at which time. It is a
 * pure function of its seed (`generate.ts`), so that a run that failed can be done again.
 */
import type { ProxyMode } from "../../support/tcp-proxy.js";

/** How long something fails, from the first action on; then all is healed. */
export const FAULTS_MS = 22_000;

export interface RegistrarPlan {
  readonly name: string;
  /** Two registrars may have one. */
  readonly address: string;
}

export interface Schedule {
  readonly seed: number;
  readonly etcd: "3.4" | "3.5";
  readonly registrars: readonly RegistrarPlan[];
  readonly clients: readonly string[];
  /** In order of time. */
  readonly actions: readonly TimedAction[];
}

export type TimedAction = Action & { readonly atMs: number };

export type Action = RegistrarAction | ClientAction | NetworkAction | MembersAction | OperatorAction;

export interface RegistrarAction {
  readonly kind: "registrar";
  readonly name: string;
  /** `update` changes what it says of itself. */
  readonly act: "start" | "update" | "deregister" | "kill" | "pause" | "resume" | { readonly blockMs: number };
}

export interface ClientAction {
  readonly kind: "client";
  readonly name: string;
  readonly act: "start" | "kill" | "pause" | "resume";
}

/** On the way of one participant to one member, or to all of them. */
export interface NetworkAction {
  readonly kind: "network";
  readonly of: string;
  readonly to: number | "all";
  readonly mode: ProxyMode | "cut";
}

/** `revive` has every member run again, with its data unless it was wiped. */
export interface MembersAction {
  readonly kind: "members";
  readonly act: "pause" | "kill" | "wipe" | "revive" | "restart one by one";
  /** Of those that run. */
  readonly who: "leader" | "follower" | "two" | "all";
}

/** `address` says whose key; with a plain put, the value is written without a lease. */
export type OperatorAction = { readonly kind: "operator" } & (
  | {
      readonly act:
        | "delete key"
        | "revoke lease"
        | "put without lease"
        | "put garbage without lease"
        | "put garbage under lease"
        | "put foreign key"
        | "delete foreign key";
      readonly address: string;
    }
  | { readonly act: "delete prefix" | "compact" | "defragment" | "put to a neighbour" }
  /** So many changes of a few foreign keys, as fast as etcd takes them. */
  | { readonly act: "churn"; readonly changes: number }
);

/** What an action is counted as. */
export function kindOf(action: Action): string {
  switch (action.kind) {
    case "registrar":
      return `registrar: ${typeof action.act === "string" ? action.act : "block event loop"}`;
    case "client":
      return `client: ${action.act}`;
    case "network":
      return `network: ${modeName(action.mode)}`;
    case "members":
      return action.act === "revive" ? "members: revive" : `members: ${action.act} ${action.who}`;
    case "operator":
      return `operator: ${action.act}`;
  }
}

/** The schedule as a person reads it. */
export function describe({ seed, etcd, registrars, clients, actions }: Schedule): string {
  return [
    `seed ${seed}: etcd ${etcd}; registrars ${registrars.map(({ name, address }) => `${name} ${address}`).join(", ")}; clients ${clients.join(", ")}`,
    ...actions.map((action) => `${(action.atMs / 1_000).toFixed(3).padStart(8)} s  ${describeAction(action)}`),
    `${(FAULTS_MS / 1_000).toFixed(3).padStart(8)} s  everything is healed`,
  ].join("\n");
}

export function describeAction(action: Action): string {
  switch (action.kind) {
    case "registrar":
      return `${action.name}: ${typeof action.act === "string" ? action.act : `block event loop for ${action.act.blockMs} ms`}`;
    case "client":
      return `${action.name}: ${action.act}`;
    case "network":
      return `network of ${action.of} to ${action.to === "all" ? "all members" : `member ${action.to + 1}`}: ${modeText(action.mode)}`;
    case "members":
      return kindOf(action);
    case "operator":
      if (action.act === "churn") return `operator: ${action.changes} changes of foreign keys`;
      return "address" in action ? `operator: ${action.act} (${action.address})` : `operator: ${action.act}`;
  }
}

function modeName(mode: NetworkAction["mode"]): string {
  if (typeof mode === "string") return mode;
  return "delayMs" in mode ? "delay" : "slow";
}

function modeText(mode: NetworkAction["mode"]): string {
  if (typeof mode === "string") return mode;
  return "delayMs" in mode ? `delay of ${mode.delayMs} ms` : `${mode.bytesPerSecond} bytes a second`;
}
