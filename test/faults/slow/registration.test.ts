/** Registrations through faults that last long, strike everything at once, or come on top of each other. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { startCli } from "../../support/cli.js";
import { disturbance, expectNeverAbsent, keyOf, leases, putAfter } from "../lab/key-history.js";
import { type Laboratory, nowMs, startLaboratory, TTL_MS } from "../lab/laboratory.js";
import type { ParticipantOptions } from "../lab/participant.js";

const BACK_WITHIN_MS = 2_000;
const address = "127.0.0.1:50051";
const key = keyOf(address);
/** What a lease that is not renewed any more has left, and what etcd takes to notice its end. */
const LATE_END_MS = TTL_MS + 2_000;

async function start(
  options: Parameters<typeof startLaboratory>[0] = {},
  clock: Pick<ParticipantOptions, "clock"> = {},
) {
  const lab = await startLaboratory(options);
  const network = await lab.network();
  const auditor = lab.auditor();
  const server = await lab.participant({ endpoints: network.endpoints, ...clock });
  const states = () => server.statuses.map(({ state }) => state);
  const isBack = () => server.until(() => states().at(-1) === "registered");
  await server.register({ address });
  const put = await auditor.event((event) => event.key === key);
  return { lab, network, auditor, server, put, states, isBack, [Symbol.asyncDispose]: lab.stop };
}

const killAll = ({ cluster }: Laboratory) => Promise.all(cluster.members.map((member) => member.kill()));
const restartAll = ({ cluster }: Laboratory) => Promise.all(cluster.members.map((member) => member.restart()));

describe.concurrent("etcd is away", () => {
  test("7: for two minutes, longer than any other client tries: nobody gives up, and what was there is never absent", async () => {
    await using all = await start();
    const { lab, auditor, put, isBack } = all;
    await killAll(lab);
    const late = await lab.participant();
    const registering = late.register({ address: "127.0.0.1:50052" });
    await using _cli = startCli([
      ...["register", "book", "127.0.0.1:50053", "--endpoints", lab.cluster.endpoints.join(",")],
      ...["--ttl", `${TTL_MS}ms`, "--start-timeout", "0", "--json"],
    ]);
    await sleep(120_000);
    await restartAll(lab);
    const returnedAtMs = nowMs();
    await isBack();
    for (const other of ["127.0.0.1:50052", "127.0.0.1:50053"]) {
      const { atMs } = await auditor.event((event) => event.key === keyOf(other));
      expect(atMs - returnedAtMs).toBeLessThan(15_000);
    }
    await registering;
    await sleep(LATE_END_MS);
    await expectNeverAbsent(auditor, put);
    expect(auditor.at().size).toBe(3);
    expect((await leases(lab.cluster)).length).toBe(3);
  });

  test.each(["3.4", "3.5"] as const)(
    "7: all members of etcd %s stopped for three TTLs, and continued",
    async (version) => {
      await using all = await start({ version });
      const { lab, auditor, put, isBack } = all;
      for (const member of lab.cluster.members) member.pause();
      await sleep(3 * TTL_MS);
      for (const member of lab.cluster.members) member.resume();
      await isBack();
      await sleep(LATE_END_MS);
      await auditor.caughtUp();
      for (const gone of auditor.events.filter(({ value }) => value === undefined)) {
        expect((await putAfter(auditor, gone)).atMs - gone.atMs).toBeLessThan(BACK_WITHIN_MS);
      }
      expect(auditor.at().has(put.key)).toBe(true);
    },
  );

  test.each(["black-hole", "refuse"] as const)(
    "20: out of reach (%s) until its lease is over: back within 2 s of healing",
    async (mode) => {
      await using all = await start();
      const { network, auditor, put, isBack, states } = all;
      await network.set(mode);
      const gone = await disturbance(auditor, key, put.modRevision);
      await sleep(2 * TTL_MS);
      await network.set("pass");
      const healedAtMs = nowMs();
      const back = await putAfter(auditor, gone);
      expect(back.atMs - healedAtMs).toBeLessThan(BACK_WITHIN_MS);
      await isBack();
      expect(states().slice(0, 3)).toEqual(["registered", "suspect", "lost"]);
    },
  );
});

describe.concurrent("everything stands still", () => {
  test("6: a machine with etcd and server on it stopped for three TTLs: back within 2 s", async () => {
    await using all = await start({ size: 1 });
    const { lab, auditor, server, put, isBack, states } = all;
    server.pause();
    for (const member of lab.cluster.members) member.pause();
    await sleep(3 * TTL_MS);
    for (const member of lab.cluster.members) member.resume();
    server.resume();
    const wokeAtMs = nowMs();
    await server.until(() => states().length > 1);
    await isBack();
    await sleep(LATE_END_MS);
    await auditor.caughtUp();
    for (const { atMs } of auditor.events.slice(1)) expect(atMs - wokeAtMs).toBeLessThan(BACK_WITHIN_MS);
    expect(auditor.at().has(put.key)).toBe(true);
  });

  test("34: a sleep in which even the monotonic clock stands still: back within 2 s of waking", async () => {
    await using all = await start({}, { clock: "suspended" });
    const { auditor, server, put, isBack } = all;
    server.pause();
    const gone = await disturbance(auditor, key, put.modRevision);
    await sleep(TTL_MS);
    server.resume();
    const wokeAtMs = nowMs();
    const back = await putAfter(auditor, gone);
    expect(back.atMs - wokeAtMs).toBeLessThan(BACK_WITHIN_MS);
    await isBack();
  });

  test("34: such a sleep that its connections do not survive: back within a TTL of waking", async () => {
    await using all = await start({}, { clock: "suspended" });
    const { network, auditor, server, put, isBack } = all;
    server.pause();
    network.strand();
    const gone = await disturbance(auditor, key, put.modRevision);
    await sleep(TTL_MS);
    server.resume();
    const wokeAtMs = nowMs();
    const back = await putAfter(auditor, gone);
    expect(back.atMs - wokeAtMs).toBeLessThan(TTL_MS);
    await isBack();
  });

  test("6: with its connections dead after a stop of three TTLs: back within 2 s of waking", async () => {
    await using all = await start();
    const { network, auditor, server, put, isBack } = all;
    server.pause();
    network.strand();
    await sleep(3 * TTL_MS);
    const gone = await disturbance(auditor, key, put.modRevision);
    server.resume();
    const wokeAtMs = nowMs();
    const back = await putAfter(auditor, gone);
    expect(back.atMs - wokeAtMs).toBeLessThan(BACK_WITHIN_MS);
    await isBack();
  });

  test("6: a hundred registrations of one process stopped for three TTLs are back within 2 s of waking", async () => {
    await using all = await start();
    const { auditor, server } = all;
    const services = Array.from({ length: 99 }, (_, number) => `service-${number}`);
    await Promise.all(services.map((service) => server.register({ address }, service)));
    server.pause();
    await sleep(3 * TTL_MS);
    await auditor.until(() => auditor.at().size === 0);
    server.resume();
    const wokeAtMs = nowMs();
    await auditor.until(() => auditor.at().size === 100);
    for (const { atMs } of auditor.at().values()) expect(atMs - wokeAtMs).toBeLessThan(BACK_WITHIN_MS);
  });
});

describe.concurrent("one fault on top of another", () => {
  test("8 and 5: a key deleted while the member that would tell it is out of reach is back within 6 s", async () => {
    await using all = await start();
    const { lab, network, auditor, put } = all;
    const used = network.proxies.filter((proxy) => proxy.open > 0);
    expect(used.length).toBeLessThan(3);
    await Promise.all(used.map((proxy) => proxy.set("black-hole")));
    await lab.cluster.etcdctl("del", key);
    const gone = await disturbance(auditor, key, put.modRevision);
    const back = await putAfter(auditor, gone);
    expect(back.atMs - gone.atMs).toBeLessThan(6_000);
  });

  test.each(["the leader", "a follower"])(
    "21 and 5: `rollcall register` that ends while %s hangs says truly whether its key is gone, and its lease ends it if not",
    async (which) => {
      await using lab = await startLaboratory();
      const auditor = lab.auditor();
      const endpoints = lab.cluster.endpoints.join(",");
      await using cli = startCli(["register", "book", address, "--endpoints", endpoints, "--ttl", "5s", "--json"]);
      const put = await auditor.event((event) => event.key === key);
      const leader = await lab.cluster.leader();
      const hung = which === "the leader" ? leader : lab.cluster.members.find((member) => member !== leader);
      hung?.pause();
      const askedAtMs = nowMs();
      cli.kill("SIGTERM");
      const { code, stderr } = await cli.ended;
      const endedAtMs = nowMs();
      expect(code).toBe(0);
      const gone = await disturbance(auditor, key, put.modRevision);
      // An election may take longer than somebody waits who wants to end.
      const isTold = cli.events().some(({ event }) => event === "deregistered");
      if (isTold) expect(gone.atMs).toBeLessThan(endedAtMs);
      else expect(stderr).toContain("its lease ends it within 5000 ms");
      if (which === "a follower") expect(gone.atMs - askedAtMs).toBeLessThan(3_000);
    },
  );
});
