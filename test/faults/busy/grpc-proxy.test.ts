/**
 * etcd's own gRPC proxy between the registry and the members. It is not transparent: it joins watches into one and makes up the
 * answers to those that came later, renews leases in its own time, answers serializable reads from a cache and progress
 * requests not at all (docs/guides/etcd-failure-modes.md).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { firstMatch, type Membership } from "rollcall";
import { type EtcdOptions, etcd } from "rollcall/etcd";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { registryContract } from "../../../src/testing/registry-contract.js";
import { type GrpcProxy, startGrpcProxy } from "../lab/grpc-proxy.js";
import { leases } from "../lab/key-history.js";
import { type Laboratory, startLaboratory, TTL_MS } from "../lab/laboratory.js";

const CLIENTS = 10;

const addresses = (view: Membership) => (view.state === "pending" ? [] : view.instances.map(({ address }) => address));

describe.concurrent.each(["3.4", "3.5"] as const)("behind the gRPC proxy of etcd %s", (version) => {
  async function startScene() {
    const lab = await startLaboratory({ size: 1, version });
    const proxy = lab.owns(await startGrpcProxy(lab.cluster.endpoints, version));
    const [member] = lab.cluster.members;
    if (!member) throw new Error("a laboratory of one has a member");
    const registry = (options: Partial<EtcdOptions> = {}) =>
      lab.owns(etcd({ endpoints: [proxy.endpoint], ttlMs: TTL_MS, logger: false, ...options }));
    return { lab, proxy, member, registry, [Symbol.asyncDispose]: lab.stop };
  }

  const watchersOf = async (endpoint: string) => {
    const metrics = await (await fetch(`http://${endpoint}/metrics`)).text();
    return Number(/^etcd_debugging_mvcc_watcher_total (\d+)$/m.exec(metrics)?.[1]);
  };

  test.concurrent("many clients' watches are one for etcd, and their views are true and stay live", async () => {
    await using scene = await startScene();
    const book = Array.from({ length: CLIENTS }, () => scene.registry().instancer("book"));
    const seen = (instances: readonly string[], withinMs = 10_000) =>
      Promise.all(
        book.map((each) =>
          firstMatch(
            each,
            (view) => view.state === "live" && String(addresses(view)) === String(instances),
            AbortSignal.timeout(withinMs),
          ),
        ),
      );
    await seen([]);
    const states = new Set<string>();
    const watching = book.map((each) => each.subscribe(({ state }) => states.add(state)));
    const registrations = [];
    for (const [index, address] of ["127.0.0.1:50051", "127.0.0.1:50052"].entries()) {
      registrations.push(await scene.registry().register("book", { address }));
      await seen(["127.0.0.1:50051", "127.0.0.1:50052"].slice(0, index + 1));
    }
    const statuses = new Set<string>();
    for (const registration of registrations) registration.subscribe(({ state }) => statuses.add(state));
    // The proxy has a watch of its own for each prefix and key that is watched, however many clients watch it, and one or two
    // for itself. Watches that began in different moments are joined after a while.
    await expect.poll(() => watchersOf(scene.member.endpoint), { timeout: 20_000 }).toBeLessThan(CLIENTS);
    await sleep(2 * TTL_MS);
    expect(statuses).not.toContain("lost");
    await registrations[0]?.close();
    await seen(["127.0.0.1:50052"]);
    expect(states).toEqual(new Set(["live"]));
    for (const subscription of watching) subscription[Symbol.dispose]();
  });

  test.concurrent("a proxy that dies and comes back costs no registration and no instance in a view", async () => {
    await using scene = await startScene();
    const { lab, proxy } = scene;
    const auditor = lab.auditor();
    const registration = await scene.registry().register("book", { address: "127.0.0.1:50051" });
    const book = scene.registry().instancer("book");
    await firstMatch(book, (view) => addresses(view).length === 1, AbortSignal.timeout(10_000));
    const sizes = new Set<number>();
    const watching = book.subscribe((view) => sizes.add(addresses(view).length));
    for (let times = 0; times < 2; times += 1) {
      await proxy.kill();
      await sleep(1_000);
      await proxy.start();
      await firstMatch(registration, ({ state }) => state === "registered", AbortSignal.timeout(10_000));
      await firstMatch(book, ({ state }) => state === "live", AbortSignal.timeout(10_000));
    }
    await auditor.caughtUp();
    expect(auditor.events.filter(({ value }) => value === undefined)).toEqual([]);
    await scene.registry().register("book", { address: "127.0.0.1:50052" });
    await firstMatch(book, (view) => addresses(view).length === 2, AbortSignal.timeout(10_000));
    expect(sizes).toEqual(new Set([1, 2]));
    watching[Symbol.dispose]();
  });

  test.concurrent("a new leader behind a proxy is noticed: a registration moves to a fresh lease, once, without a gap", async () => {
    await using scene = await startScene();
    const { lab, member } = scene;
    const auditor = lab.auditor();
    const registration = await scene.registry().register("book", { address: "127.0.0.1:50051" });
    const first = await auditor.event(({ lease }) => lease !== 0n);
    await member.restart();
    const moved = await auditor.event(({ lease }) => lease !== 0n && lease !== first.lease);
    await sleep(2 * TTL_MS);
    await auditor.caughtUp();
    expect(auditor.events).toEqual([first, moved]);
    expect(registration.lease?.id).toBe(moved.lease);
    expect(await leases(lab.cluster)).toEqual([moved.lease]);
  });

  test.concurrent("an etcd that is gone behind a proxy that answers is noticed, and one that is rebuilt too", async () => {
    await using scene = await startScene();
    const { member } = scene;
    const registrar = scene.registry();
    await registrar.register("book", { address: "127.0.0.1:50051" });
    const book = Array.from({ length: 3 }, () => scene.registry().instancer("book"));
    const all = (fits: (view: Membership) => boolean, withinMs: number) =>
      Promise.all(book.map((each) => firstMatch(each, fits, AbortSignal.timeout(withinMs))));
    await all((view) => addresses(view).length === 1, 10_000);
    await member.kill();
    await all((view) => view.state === "stale" && addresses(view).length === 1, 20_000);
    await member.restart();
    await all((view) => view.state === "live" && addresses(view).length === 1, 20_000);
    await member.restart({ wipe: true });
    await all((view) => view.state === "live" && view.epoch > 0 && addresses(view).length === 1, 30_000);
  });
});

describe("behind etcd's gRPC proxy", () => {
  let lab: Laboratory;
  let proxy: GrpcProxy;
  let runs = 0;
  beforeAll(async () => {
    lab = await startLaboratory({ size: 1 });
    proxy = lab.owns(await startGrpcProxy(lab.cluster.endpoints));
  });
  afterAll(() => lab.stop());

  registryContract(
    { describe, it },
    {
      name: "etcd()",
      async open(present) {
        runs += 1;
        const options = { endpoints: [proxy.endpoint], prefix: `/run-${runs}/`, logger: false } as const;
        const [registry, peer, seeder] = [etcd(options), etcd(options), etcd(options)] as const;
        for (const [service, instances] of Object.entries(present)) {
          for (const instance of instances) await seeder.register(service, instance);
        }
        const close = async () => void (await Promise.all([registry, peer, seeder].map((each) => each.close())));
        return { registry, peer, close };
      },
    },
  );
});
