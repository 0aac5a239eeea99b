/**
 * Rows 18 and 19: the registry is away, or has forgotten everybody, while the servers run. Their callers must not notice.
 * Each test has an etcd of its own, and a client under steady load of real gRPC calls.
 */
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { firstMatch, type Membership, memory, type Registry } from "rollcall";
import { type EtcdOptions, etcd } from "rollcall/etcd";
import { grpcClient } from "rollcall/grpc";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startTalk, type TalkServer } from "../../support/talk.js";
import { Talk } from "../../support/talk_pb.js";
import { startTalkProcess } from "../../support/talk-process.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { type Laboratory, startLaboratory, TTL_MS } from "../lab/laboratory.js";

/** They serve all tests, and register nowhere: each test says in its own etcd who is there. */
let servers: readonly TalkServer[];
let addresses: readonly string[];
beforeAll(async () => {
  servers = await Promise.all(Array.from({ length: 5 }, () => startTalk(memory())));
  addresses = servers.map(({ handle }) => handle.address);
});
afterAll(() => Promise.all(servers.map((server) => server[Symbol.asyncDispose]())));

const PREFIX = "/services/talk/";
const CALLERS = 4;

/** Registers as clients do that never look at their key again, such as go-kit's. */
async function put({ cluster }: Laboratory, present: readonly string[]): Promise<void> {
  await Promise.all(present.map((address) => cluster.etcdctl("put", PREFIX + address, address)));
}

const within = (ms: number) => AbortSignal.timeout(ms);
const addressesOf = (instances: readonly { readonly address: string }[]) => instances.map(({ address }) => address);
const known = (view: Membership) =>
  view.state === "pending" ? [] : [...addressesOf(view.instances), ...addressesOf(view.retained)].sort();
const shows = (instances: readonly string[], retained: readonly string[] = []) => {
  const wanted = JSON.stringify([instances.toSorted(), retained.toSorted()]);
  return (view: Membership) =>
    view.state === "live" && JSON.stringify([addressesOf(view.instances), addressesOf(view.retained)]) === wanted;
};

/** A client that calls all the time from its first endpoint on; every call may be repeated. */
async function callers(registry: Registry) {
  const talk = grpcClient(Talk, { registry, service: "talk", idempotent: true, timeoutMs: 5_000, logger: false });
  const views: Membership[] = [];
  talk.membership.subscribe((view) => void views.push(view));
  await talk.ready({ signal: within(20_000) });
  const failures: unknown[] = [];
  const calledBy = new Set<string>();
  let calls = 0;
  let stopped = false;
  const call = async () => {
    while (!stopped) {
      try {
        await talk.call(async (client, context) => {
          await client.say({ text: "hello" }, context);
          calledBy.add(context.instance.address);
        });
      } catch (error) {
        failures.push(error);
      }
      calls += 1;
      await sleep(20); // callers, servers and views of all tests share one process
    }
  };
  const running = Promise.all(Array.from({ length: CALLERS }, call));
  return {
    talk,
    views,
    failures,
    until: (accept: (view: Membership) => boolean) => firstMatch(talk.membership, accept, within(30_000)),
    /** Lets so many calls begin and end, and says who answered them. */
    async answersOf(count: number): Promise<readonly string[]> {
      const ended = async (more: number) => {
        for (const end = calls + more; calls < end; ) await sleep(5);
      };
      await ended(CALLERS * 2); // each has begun anew since
      calledBy.clear();
      await ended(count);
      return [...calledBy].sort();
    },
    async [Symbol.asyncDispose]() {
      stopped = true;
      await running;
      await talk.close();
    },
  };
}

const PENDING: Membership = { state: "pending" };

async function snapshotFolder() {
  const folder = await temporaryFolder("snapshots");
  const file = async () => {
    const [name] = (await readdir(folder.path)).filter((each) => each.endsWith(".snapshot"));
    return name === undefined ? undefined : folder.file(name);
  };
  return {
    path: folder.path,
    file: async () => (await file()) ?? expect.fail("there is no snapshot"),
    /** Waits for a snapshot, and gives the time at which it was written. */
    async written(): Promise<number> {
      const found = await vi.waitFor(
        async () => (await file()) ?? Promise.reject(new Error("no snapshot yet")),
        20_000,
      );
      return (await stat(found)).mtimeMs;
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

const registryOf = ({ cluster }: Laboratory, options: Partial<EtcdOptions> = {}) =>
  etcd({ endpoints: cluster.endpoints, logger: false, ...options });

describe.concurrent("static stability", () => {
  test("18: all members are killed for longer than a TTL: the set is kept and no call fails", async () => {
    await using lab = await startLaboratory({ size: 3 });
    await using registry = registryOf(lab, { ttlMs: TTL_MS });
    for (const address of addresses) await registry.register("talk", { address });
    await using client = await callers(registry);
    await client.until(shows(addresses));
    await Promise.all(lab.cluster.members.map((member) => member.kill()));
    await client.until(({ state }) => state === "stale");
    await sleep(TTL_MS * 1.5);
    expect(known(client.talk.membership.current)).toEqual([...addresses].sort());
    expect(await client.answersOf(200)).toEqual([...addresses].sort());
    await Promise.all(lab.cluster.members.map((member) => member.restart()));
    await client.until(shows(addresses));
    expect(client.failures).toEqual([]);
    const sets = client.views.filter(({ state }) => state !== "pending").map(known);
    expect(new Set(sets.map(({ length }) => length))).toEqual(new Set([addresses.length]));
  });

  test("18: a client that starts while etcd is down begins with its snapshot, and goes on undisturbed when etcd is back", async () => {
    await using lab = await startLaboratory({ size: 1 });
    await using folder = await snapshotFolder();
    await put(lab, addresses);
    // Two processes on one folder; the one that is killed leaves what it had written.
    const before = await Promise.all([1, 2].map(() => lab.participant({ snapshot: { folder: folder.path } })));
    for (const participant of before) await participant.watch("talk");
    for (const participant of before)
      await participant.until(() => shows(addresses)(participant.view("talk") ?? PENDING));
    const writtenMs = await folder.written();
    await Promise.all(before.map((participant) => participant.kill()));
    await lab.cluster.members[0]?.kill();

    await using registry = registryOf(lab, { snapshot: { folder: folder.path } });
    await using client = await callers(registry);
    const view = client.talk.membership.current;
    expect(view).toMatchObject({ state: "stale", epoch: 0, error: { message: expect.stringContaining("snapshot") } });
    expect(known(view)).toEqual([...addresses].sort());
    expect(Math.abs((view.state === "stale" ? view.sinceEpochMs : 0) - writtenMs)).toBeLessThan(5_000);
    expect(await client.answersOf(200)).toEqual([...addresses].sort());
    const connections = new Set(client.talk.endpoints.current.map(({ connection }) => connection));

    await lab.cluster.members[0]?.restart();
    await client.until(shows(addresses));
    expect(client.talk.membership.current).toMatchObject({ epoch: 0 });
    expect(client.talk.endpoints.current.every(({ connection }) => connections.has(connection))).toBe(true);
    expect(client.failures).toEqual([]);
  });

  test("18: a damaged snapshot is ignored with a warning that names it, and a good one is not shown while etcd is well", async () => {
    await using lab = await startLaboratory({ size: 1 });
    await using folder = await snapshotFolder();
    await put(lab, addresses);
    const warnings: string[] = [];
    const options = {
      snapshot: { folder: folder.path },
      logger: { warn: (line: string) => void warnings.push(line), info: () => {} },
    };
    {
      await using registry = registryOf(lab, options);
      await firstMatch(registry.instancer("talk"), shows(addresses), within(20_000));
    } // written at the latest when it is closed
    const file = await folder.file();
    {
      await using registry = registryOf(lab, options);
      const states: string[] = [];
      using _following = registry.instancer("talk").subscribe(({ state }) => void states.push(state));
      await firstMatch(registry.instancer("talk"), shows(addresses), within(20_000));
      expect(states).toEqual(["pending", "live"]);
      await lab.cluster.members[0]?.kill();
    }
    await writeFile(file, (await readFile(file, "utf8")).replace(addresses[0] ?? "", "127.0.0.1:1"));
    await using registry = registryOf(lab, options);
    const instancer = registry.instancer("talk");
    await firstMatch(instancer, (view) => view.state === "pending" && view.error !== undefined, within(20_000));
    await vi.waitFor(() => expect(warnings.join()).toContain(`the snapshot ${file} is ignored: it is damaged`), 10_000);
    expect(instancer.current.state).toBe("pending");
    await lab.cluster.members[0]?.restart();
    await firstMatch(instancer, shows(addresses), within(20_000));
  });

  test("18: a client that starts while etcd hangs begins with its snapshot as well", async () => {
    await using lab = await startLaboratory({ size: 1 });
    await using folder = await snapshotFolder();
    await put(lab, addresses);
    const options = { snapshot: { folder: folder.path } };
    {
      await using registry = registryOf(lab, options);
      await firstMatch(registry.instancer("talk"), shows(addresses), within(20_000));
    }
    lab.cluster.members[0]?.pause();
    await using registry = registryOf(lab, options);
    await using client = await callers(registry);
    expect(client.talk.membership.current).toMatchObject({ state: "stale" });
    expect(await client.answersOf(50)).toEqual([...addresses].sort());
    lab.cluster.members[0]?.resume();
    await client.until(shows(addresses));
    expect(client.failures).toEqual([]);
  });

  test("19: an operator deletes the prefix: calls go on over the retained, and one that is dead is found out by them", async () => {
    await using lab = await startLaboratory({ size: 1 });
    await using victim = await startTalkProcess();
    const all = [...addresses, victim.address];
    await put(lab, all);
    await using registry = registryOf(lab);
    await using client = await callers(registry);
    await client.until(shows(all));
    const connections = new Map(client.talk.endpoints.current.map(({ address, connection }) => [address, connection]));
    await lab.cluster.etcdctl("del", "--prefix", PREFIX);
    await client.until(shows([], all));
    expect(await client.answersOf(200)).toEqual([...all].sort());
    for (const { address, connection } of client.talk.endpoints.current) {
      expect(connection).toBe(connections.get(address));
    }

    await victim.kill();
    const alive = (endpoints: readonly { readonly address: string }[]) => endpoints.length === addresses.length;
    await firstMatch(client.talk.endpoints, alive, within(15_000));
    expect(await client.answersOf(100)).toEqual([...addresses].sort());

    await put(lab, addresses.slice(0, 2));
    await client.until(shows(addresses.slice(0, 2), [...addresses.slice(2), victim.address]));
    expect(await client.answersOf(100)).toEqual(addresses.slice(0, 2).toSorted());
    expect(client.failures).toEqual([]);
  });

  test("19: a client that starts after everybody was lost retains those of its snapshot, and does not overwrite it", async () => {
    await using lab = await startLaboratory({ size: 1 });
    await using folder = await snapshotFolder();
    await put(lab, addresses);
    const options = { snapshot: { folder: folder.path } };
    {
      await using registry = registryOf(lab, options);
      await firstMatch(registry.instancer("talk"), shows(addresses), within(20_000));
    }
    const written = await readFile(await folder.file());
    await lab.cluster.etcdctl("del", "--prefix", PREFIX);
    for (let start = 0; start < 2; start += 1) {
      await using registry = registryOf(lab, options);
      await using client = await callers(registry);
      await client.until(shows([], addresses));
      expect(await client.answersOf(50)).toEqual([...addresses].sort());
      expect(client.failures).toEqual([]);
    }
    expect(await readFile(await folder.file())).toEqual(written);
  });

  test("19: every registrar hangs until its lease expires: calls go on, and all are back when they wake", async () => {
    await using lab = await startLaboratory({ size: 1 });
    const registrars = await Promise.all([lab.participant(), lab.participant()]);
    await Promise.all(addresses.map((address, n) => registrars[n % 2]?.register({ address }, "talk")));
    await using registry = registryOf(lab);
    await using client = await callers(registry);
    await client.until(shows(addresses));
    for (const registrar of registrars) registrar.pause();
    await client.until(shows([], addresses));
    expect(await client.answersOf(200)).toEqual([...addresses].sort());
    for (const registrar of registrars) registrar.resume();
    await client.until(shows(addresses));
    expect(client.failures).toEqual([]);
  });

  test("19: the cluster is wiped: calls go on, and all are registered in the new one", async () => {
    await using lab = await startLaboratory({ size: 1 });
    // A history that the new cluster does not overtake before anybody looks: else nothing tells them apart (position.ts).
    for (let n = 0; n < 30; n += 1) await lab.cluster.etcdctl("put", "/history", `${n}`);
    await using servers = registryOf(lab, { ttlMs: TTL_MS });
    for (const address of addresses) await servers.register("talk", { address });
    await using registry = registryOf(lab);
    await using client = await callers(registry);
    await client.until(shows(addresses));
    await lab.cluster.members[0]?.restart({ wipe: true });
    await client.until((view) => shows(addresses)(view) && view.state === "live" && view.epoch === 1);
    expect(client.failures).toEqual([]);
    // Those who are back before the new cluster is read need not be retained, and the others are the smaller part.
    const sets = client.views.filter(({ state }) => state !== "pending").map(known);
    expect(sets.filter(({ length }) => length * 2 <= addresses.length)).toEqual([]);
  });

  test("19: every lease is revoked: no call fails, and all are back within 2 s", async () => {
    await using lab = await startLaboratory({ size: 1 });
    await using servers = registryOf(lab, { ttlMs: TTL_MS });
    for (const address of addresses) await servers.register("talk", { address });
    await using registry = registryOf(lab);
    await using client = await callers(registry);
    await client.until(shows(addresses));
    const ids = (await lab.cluster.etcdctl("lease", "list")).split("\n").filter((line) => /^[0-9a-f]+$/.test(line));
    expect(ids.length).toBeGreaterThan(0);
    const before = client.views.length;
    await Promise.all(ids.map((id) => lab.cluster.etcdctl("lease", "revoke", id)));
    const revokedMs = performance.now();
    await client.until((view) => client.views.length > before && shows(addresses)(view));
    expect(performance.now() - revokedMs).toBeLessThan(2_000);
    expect(client.failures).toEqual([]);
    expect(client.views.slice(before).map(known)).not.toContainEqual([]);
  });

  test("19: a service is shut down on purpose: no call fails while a server listens, and then there is nobody", async () => {
    await using lab = await startLaboratory({ size: 1 });
    await using own = registryOf(lab, { ttlMs: TTL_MS });
    const closing = await Promise.all(Array.from({ length: 4 }, () => startTalk(own, { spreadMs: 500 })));
    await using registry = registryOf(lab);
    await using client = await callers(registry);
    await client.until((view) => known(view).length === 4);
    await firstMatch(client.talk.endpoints.availability, ({ ready }) => ready === 4, within(10_000));
    const last = closing.pop();
    await Promise.all(closing.map((server) => server[Symbol.asyncDispose]()));
    expect(client.failures).toEqual([]);
    await last?.[Symbol.asyncDispose]();
    await firstMatch(client.talk.endpoints, ({ length }) => length === 0, within(15_000));
    const error = await client.talk.say({ text: "hello" }, { timeoutMs: 300 }).catch((reason) => reason);
    expect(error).toMatchObject({
      code: "NO_INSTANCES",
      message: expect.stringContaining("none of them can be reached"),
    });
  });

  test("19: a deployment replaces everything at once: the old are called by nobody while a new one is ready", async () => {
    await using lab = await startLaboratory({ size: 1 });
    const old = addresses.slice(0, 4);
    const replacements = await Promise.all(Array.from({ length: 4 }, () => startTalk(memory())));
    const fresh = replacements.map(({ handle }) => handle.address);
    await put(lab, old);
    await using registry = registryOf(lab);
    await using client = await callers(registry);
    await client.until(shows(old));
    await put(lab, fresh);
    await client.until(shows([...old, ...fresh]));
    await firstMatch(client.talk.endpoints.availability, ({ ready }) => ready === 8, within(10_000));
    await Promise.all(old.map((address) => lab.cluster.etcdctl("del", PREFIX + address)));
    await client.until(shows(fresh, old));
    expect(await client.answersOf(200)).toEqual([...fresh].sort());
    expect(client.failures).toEqual([]);
    await Promise.all(replacements.map((server) => server[Symbol.asyncDispose]()));
  });
});
