/** What a participant and the laboratory say to each other. Times are milliseconds since the Unix epoch, by the monotonic clock. */
import type { Membership, NewInstance, RegistrationStatus } from "rollcall";
import type { EtcdOptions } from "rollcall/etcd";

/** The options of `etcd()` that can be sent to another process. */
export type ParticipantOptions = Omit<EtcdOptions, "clock" | "random" | "layout" | "logger" | "password"> & {
  readonly password?: string;
  /** `suspended`: one that stands still while the process is stopped. */
  readonly clock?: "suspended";
};

export type Command =
  | { readonly kind: "register"; readonly service: string; readonly instance: NewInstance }
  | {
      readonly kind: "update";
      readonly service: string;
      readonly address: string;
      readonly change: Omit<NewInstance, "address">;
    }
  | { readonly kind: "deregister"; readonly service: string; readonly address: string }
  | { readonly kind: "watch"; readonly service: string }
  /** Blocks the event loop. */
  | { readonly kind: "block"; readonly forMs: number }
  | { readonly kind: "close" };

export interface StatusReport extends RegistrationStatus {
  readonly service: string;
  readonly address: string;
  /** The lease that holds the key; absent while there is none. */
  readonly leaseId?: bigint;
  /** Of the last claim. */
  readonly revision?: bigint;
  readonly atMs: number;
}

export interface ViewReport {
  readonly service: string;
  readonly view: Membership;
  readonly atMs: number;
}

export type Report =
  | { readonly kind: "ready" }
  /** The command of this number is done; `error` says why it failed. */
  | { readonly kind: "done"; readonly command: number; readonly error?: string }
  | { readonly kind: "status"; readonly report: StatusReport }
  | { readonly kind: "view"; readonly report: ViewReport };

export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
