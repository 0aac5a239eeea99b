/**
 * A client in this process that follows one service, for faults of which the client's process knows nothing; and what is to be
 * true of everything that it, or a participant, was shown.
 */
import { firstMatch, type Instancer, type Membership } from "rollcall";
import { type EtcdOptions, etcd } from "rollcall/etcd";
import { expect } from "vitest";
import type { Auditor } from "./auditor.js";
import { TTL_MS } from "./laboratory.js";
import { nowMs, type ViewReport } from "./participant-protocol.js";

const PREFIX = "/services/book/";

export interface Follower extends AsyncDisposable {
  readonly instancer: Instancer;
  /** Every view, in order. */
  readonly views: readonly ViewReport[];
  /** Resolves with the first view, the present one included, that `accept` takes. */
  until(accept: (view: Membership) => boolean, withinMs?: number): Promise<Membership>;
}

/** Its members are tried in the order given. */
export function follow(
  endpoints: readonly string[],
  { service = "book", ...options }: Partial<EtcdOptions> & { readonly service?: string } = {},
): Follower {
  const registry = etcd({ endpoints, ttlMs: TTL_MS, logger: false, random: () => 0, ...options });
  const instancer = registry.instancer(service);
  const views: ViewReport[] = [];
  instancer.subscribe((view) => views.push({ service, view, atMs: nowMs() }));
  return {
    instancer,
    views,
    async until(accept, withinMs = 20_000) {
      try {
        return await firstMatch(instancer, accept, AbortSignal.timeout(withinMs));
      } catch (cause) {
        throw new Error(
          `not so within ${withinMs} ms; the last views: ${views.slice(-3).map(describeView).join("; ")}`,
          {
            cause,
          },
        );
      }
    },
    [Symbol.asyncDispose]: () => registry.close(),
  };
}

/** The hosts of the instances, without their ports. */
export function hosts(view: Membership | undefined): readonly string[] {
  return instancesOf(view).map(({ address }) => address.split(":")[0] ?? "");
}

/** Live, with these hosts and no others. */
export function holds(...expected: readonly string[]): (view: Membership | undefined) => boolean {
  const wanted = expected.toSorted().join();
  return (view) => view?.state === "live" && hosts(view).toSorted().join() === wanted;
}

/**
 * That each view shows what stood in etcd at the revision that it claims, no more and no less; and that it never went back, or
 * to nothing. `auditorsFirst` is the view's epoch that was the first which the auditor saw; earlier views are not looked at.
 */
export function expectExact(views: readonly ViewReport[], auditor: Auditor, auditorsFirst = 0): void {
  let last: { readonly epoch: number; readonly revision: bigint } | undefined;
  for (const { view } of views) {
    if (view.state === "pending" || view.epoch < auditorsFirst) continue;
    const truth = [...auditor.at(view.revision, view.epoch - auditorsFirst)].filter(([key]) => key.startsWith(PREFIX));
    const shown = view.instances.map(({ id, address }) => [id, address]);
    expect(shown, describeView({ view })).toEqual(truth.map(([key, { value }]) => [key, value]).sort());
    expect([...view.instances, ...view.retained], "never empty").not.toEqual([]);
    if (last) expect(view.epoch).toBeGreaterThanOrEqual(last.epoch);
    if (view.epoch === last?.epoch) expect(view.revision).toBeGreaterThanOrEqual(last.revision);
    last = view;
  }
  expect(last, "no view was held against the truth").toBeDefined();
}

export function statesOf(views: readonly ViewReport[]): readonly Membership["state"][] {
  return views.map(({ view }) => view.state);
}

function instancesOf(view: Membership | undefined) {
  return view === undefined || view.state === "pending" ? [] : view.instances;
}

function describeView({ view }: Pick<ViewReport, "view">): string {
  if (view.state === "pending") return "pending";
  return `${view.state} ${view.epoch}/${view.revision} ${hosts(view).slice(0, 20).join()}`;
}
