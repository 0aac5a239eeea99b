/** One key in the auditor's history: when it was away, for how long, and who held it. */
import { expect } from "vitest";
import type { AuditEvent, Auditor } from "./auditor.js";

/** The key of the tutorial's layout. */
export function keyOf(address: string, service = "book"): string {
  return `/services/${service}/${address}`;
}

/** What etcd itself or somebody with etcdctl did to the key after `revision`: it was deleted, or has no lease any more. */
export function disturbance(auditor: Auditor, key: string, revision: bigint): Promise<AuditEvent> {
  return auditor.event((event) => event.key === key && event.modRevision > revision && event.lease === 0n);
}

/** The first put of the key on a lease after `before`. */
export function putAfter(auditor: Auditor, before: AuditEvent, withinMs?: number): Promise<AuditEvent> {
  const isLater = ({ epoch, modRevision }: AuditEvent) =>
    epoch > before.epoch || (epoch === before.epoch && modRevision > before.modRevision);
  return auditor.event((event) => event.key === before.key && isLater(event) && event.lease !== 0n, withinMs);
}

/** Fails if the key was away at any revision since `since`, up to now. */
export async function expectNeverAbsent(auditor: Auditor, since: AuditEvent): Promise<void> {
  await auditor.caughtUp();
  const later = auditor.events.slice(auditor.events.indexOf(since) + 1).filter(({ key }) => key === since.key);
  expect(later.filter(({ value }) => value === undefined)).toEqual([]);
  expect(auditor.epoch).toBe(since.epoch);
}

/** The ids of all leases, as etcdctl lists them. */
export async function leases(etcd: { etcdctl(...args: readonly string[]): Promise<string> }): Promise<bigint[]> {
  const listed = await etcd.etcdctl("lease", "list");
  return listed
    .split("\n")
    .slice(1)
    .filter((line) => line !== "")
    .map((line) => BigInt(`0x${line.trim()}`));
}

/** A lease id as etcdctl takes it. */
export function hex(leaseId: bigint): string {
  return leaseId.toString(16);
}
