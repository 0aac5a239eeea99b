/**
 * What etcd or the way to it answered, sorted by what a caller can do about it.
 *
 * Why by text before code: etcd uses one gRPC code for several things (a missing user name, a stale auth store and a request
 * that is too large are all INVALID_ARGUMENT), and other codes for the same thing in other versions (a learner is
 * UNAVAILABLE up to 3.5 and FAILED_PRECONDITION after). Its texts have not changed since 3.4 (api/v3rpc/rpctypes/error.go).
 */
import { status } from "@grpc/grpc-js";
import { type ErrorCode, kinds, RollcallError } from "../../../errors.js";

/**
 * - `unavailable`: this member cannot answer now; another may, and so may this one later.
 * - `timeout`: no answer in time; the request may have had its effect.
 * - `lease-not-found`, `lease-exists`: the lease is gone, or its id is taken (by ourselves when a reply was lost).
 * - `compacted`, `future-revision`: the revision is no longer, or not yet, in the member's history.
 * - `unauthenticated`: the token is missing, expired or older than the user database; a new one is needed.
 * - `denied`: wrong user or password, or no permission.
 * - `no-space`: etcd is full and takes no writes; leases are still renewed.
 * - `cancelled`: the caller's signal aborted. `closed`: the client was closed.
 * - `moved`: the connection was replaced by a new one, with nobody at fault; what ran on it goes on when asked for again.
 * - `refused`: etcd will not do it, and asking again will not change that.
 */
export type EtcdErrorKind =
  | "unavailable"
  | "timeout"
  | "lease-not-found"
  | "lease-exists"
  | "compacted"
  | "future-revision"
  | "unauthenticated"
  | "denied"
  | "no-space"
  | "cancelled"
  | "closed"
  | "moved"
  | "refused";

export class EtcdError extends RollcallError {
  protected static override readonly kind = "EtcdError";
  override readonly [kinds] = ["RollcallError", "EtcdError"];
  readonly kind: EtcdErrorKind;
  /** The gRPC status code, e.g. 14 for UNAVAILABLE; the nearest one where no gRPC was involved. */
  readonly grpcCode: number;

  constructor(kind: EtcdErrorKind, grpcCode: number, message: string, options?: { readonly cause?: unknown }) {
    super(codeOfKind[kind], message, options);
    this.name = "EtcdError";
    this.kind = kind;
    this.grpcCode = grpcCode;
  }
}

/** The error for a status that a member, or the connection to it, ended a call with. */
export function statusError(grpcCode: number, details: string, member: string, cause?: unknown): EtcdError {
  const kind = kindOfStatus(grpcCode, details);
  return new EtcdError(kind, grpcCode, `${member}: ${details || nameOf(grpcCode)}${remedyOf(kind, details)}`, {
    cause,
  });
}

/**
 * The error for the `cancel_reason` of a watch, which is the text of a Go error: `rpc error: code = Unauthenticated desc =
 * etcdserver: invalid auth token`, or just its last part.
 */
export function cancelReasonError(reason: string, member: string): EtcdError {
  const [, codeName, text] = /^rpc error: code = (\w+) desc = (.*)$/s.exec(reason) ?? [];
  return statusError(goCodes.get(codeName ?? "") ?? status.UNKNOWN, text ?? reason, member);
}

export function closedError(): EtcdError {
  return new EtcdError("closed", status.CANCELLED, "the etcd client is closed");
}

export function movedError(member: string): EtcdError {
  return new EtcdError("moved", status.UNAVAILABLE, `${member}: a connection with newer certificates takes over`);
}

export function cancelledError(cause: unknown): EtcdError {
  return new EtcdError("cancelled", status.CANCELLED, "the caller cancelled the etcd call", { cause });
}

/** Whether what failed may succeed later without anybody doing something about it. */
export function isPassing(error: unknown): boolean {
  return error instanceof EtcdError && (error.kind === "unavailable" || error.kind === "timeout");
}

/** Whether etcd said that it runs without authentication, so that no token is needed. */
export function saysAuthIsOff(error: EtcdError): boolean {
  return error.message.includes("authentication is not enabled");
}

const codeOfKind: Readonly<Record<EtcdErrorKind, ErrorCode>> = {
  unavailable: "REGISTRY_UNAVAILABLE",
  timeout: "REGISTRY_UNAVAILABLE",
  "lease-not-found": "REGISTRY_FAILED",
  "lease-exists": "REGISTRY_FAILED",
  compacted: "REGISTRY_FAILED",
  "future-revision": "REGISTRY_FAILED",
  unauthenticated: "REGISTRY_DENIED",
  denied: "REGISTRY_DENIED",
  "no-space": "REGISTRY_FAILED",
  cancelled: "CANCELLED",
  closed: "CLOSED",
  moved: "REGISTRY_UNAVAILABLE",
  refused: "REGISTRY_FAILED",
};

function remedyOf(kind: EtcdErrorKind, details: string): string {
  // Of the refusals for want of a good token only this one is the caller's; the others pass with the next token.
  if (details.includes("user name is empty")) return " (etcd asks for authentication: give `user` and `password`)";
  return remedies[kind] ?? "";
}

const remedies: Partial<Record<EtcdErrorKind, string>> = {
  denied: " (check `user` and `password`, and the user's roles: etcdctl user get <name>)",
  "no-space": " (etcd takes no writes: compact and defragment it, then etcdctl alarm disarm)",
};

const kindsByText: ReadonlyArray<readonly [text: string, kind: EtcdErrorKind]> = [
  ["requested lease not found", "lease-not-found"],
  ["lease already exists", "lease-exists"],
  ["required revision has been compacted", "compacted"],
  ["required revision is a future revision", "future-revision"],
  ["invalid auth token", "unauthenticated"],
  ["user name is empty", "unauthenticated"],
  ["revision of auth store is old", "unauthenticated"],
  ["permission denied", "denied"],
  ["authentication failed", "denied"],
  ["user name not found", "denied"],
  ["database space exceeded", "no-space"],
  ["rpc not supported for learner", "unavailable"],
  ["etcdserver: too many requests", "unavailable"],
  ["larger than max", "refused"],
];

function kindOfStatus(grpcCode: number, details: string): EtcdErrorKind {
  const byText = kindsByText.find(([text]) => details.includes(text));
  return byText?.[1] ?? kindsByCode.get(grpcCode) ?? "refused";
}

const kindsByCode: ReadonlyMap<number, EtcdErrorKind> = new Map<number, EtcdErrorKind>([
  [status.UNAVAILABLE, "unavailable"],
  // Our own cancellations never come this way: the server gave the call up, as it does when it stops.
  [status.CANCELLED, "unavailable"],
  // A reset stream, or an HTTP error of something between us and etcd.
  [status.INTERNAL, "unavailable"],
  // GOAWAY with ENHANCE_YOUR_CALM.
  [status.RESOURCE_EXHAUSTED, "unavailable"],
  [status.DEADLINE_EXCEEDED, "timeout"],
  [status.UNAUTHENTICATED, "unauthenticated"],
  [status.PERMISSION_DENIED, "denied"],
]);

/** Go spells its codes in camel case: `PermissionDenied` for PERMISSION_DENIED. */
const goCodes: ReadonlyMap<string, number> = new Map(
  Object.entries(status).flatMap(([name, code]) =>
    typeof code === "number" ? [[camelCase(name), code] as const] : [],
  ),
);

function camelCase(name: string): string {
  return name
    .split("_")
    .map((word) => word.charAt(0) + word.slice(1).toLowerCase())
    .join("");
}

function nameOf(grpcCode: number): string {
  return status[grpcCode] ?? `gRPC status ${grpcCode}`;
}
