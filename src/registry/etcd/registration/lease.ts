/**
 * Granting and revoking a lease whose id is ours from the start: a grant whose reply was lost is simply asked for again, and
 * "lease already exists" then means that we have it.
 */
import type { Clock } from "../../../clock.js";
import type { EtcdClient } from "../client/client.js";
import { EtcdError } from "../client/etcd-error.js";
import { Lease, type ResponseHeader } from "../proto/etcd_pb.js";

export interface GrantedLease {
  readonly id: bigint;
  readonly ttlMs: number;
  /** Monotonic time at which etcd is known to have counted the TTL from, at the latest. */
  readonly confirmedAtMs: number;
  /** The raft term in which it was granted, or in which it was found where the answer to its grant was lost. */
  readonly term: bigint;
}

/** The TTL is rounded up to whole seconds; etcd may grant a longer one, and its word counts. */
export async function grantLease(
  { client, clock }: { readonly client: EtcdClient; readonly clock: Clock },
  id: bigint,
  ttlMs: number,
  options: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<GrantedLease> {
  const confirmedAtMs = clock.nowMs();
  try {
    const granted = await client.unary(
      Lease.method.leaseGrant,
      { ID: id, TTL: BigInt(Math.ceil(ttlMs / 1_000)) },
      options,
    );
    return { id, ttlMs: Number(granted.TTL) * 1_000, confirmedAtMs, term: termOf(granted.header) };
  } catch (error) {
    if (!(error instanceof EtcdError && error.kind === "lease-exists")) throw error;
  }
  const askedAtMs = clock.nowMs();
  const { TTL: left, grantedTTL, header } = await client.unary(Lease.method.leaseTimeToLive, { ID: id }, options);
  // It ran out between the two questions, so the id is free again.
  if (left < 0n) return grantLease({ client, clock }, id, ttlMs, options);
  const ranForMs = Number(grantedTTL - left) * 1_000;
  return { id, ttlMs: Number(grantedTTL) * 1_000, confirmedAtMs: askedAtMs - ranForMs, term: termOf(header) };
}

/**
 * Ends a lease, and with it in one revision every key that it still holds. That is the whole of a deregistration: a key that
 * somebody else took over hangs on another lease and stays.
 */
export async function revokeLease(client: EtcdClient, id: bigint, timeoutMs: number): Promise<void> {
  try {
    await client.unary(Lease.method.leaseRevoke, { ID: id }, { timeoutMs });
  } catch (error) {
    if (!(error instanceof EtcdError && error.kind === "lease-not-found")) throw error;
  }
}

/** The raft term of the member that answered, which grows with every election; 0 where it does not say. */
export function termOf(header: ResponseHeader | undefined): bigint {
  return header?.raftTerm ?? 0n;
}
