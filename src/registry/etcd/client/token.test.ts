import { expect, it } from "vitest";
import { virtualClock } from "../../../testing/virtual-clock.js";
import { statusError } from "./etcd-error.js";
import { noTokens, tokens } from "./token.js";

const expired = statusError(16, "etcdserver: invalid auth token", "a:1");
const denied = statusError(7, "etcdserver: permission denied", "a:1");
const unavailable = statusError(14, "etcdserver: no leader", "a:1");
const authIsOff = statusError(9, "etcdserver: authentication is not enabled", "a:1");

/** Logs in as `authenticate` says, which is given how often it was asked. */
function counted(authenticate: (login: number) => string = (login) => `token-${login}`) {
  let logins = 0;
  const clock = virtualClock();
  const source = tokens({
    clock,
    random: () => 0.999,
    async authenticate() {
      logins += 1;
      return authenticate(logins);
    },
  });
  return { clock, source, logins: () => logins };
}

function fail(error: Error): never {
  throw error;
}

it("serves all who wait with one login, and those who come later with its token", async () => {
  const { source, logins } = counted();
  const given = await Promise.all(Array.from({ length: 20 }, () => source.current()));
  expect(new Set(given)).toEqual(new Set(["token-1"]));
  expect(await source.current()).toBe("token-1");
  expect(logins()).toBe(1);
});

it("gets a new token once when several callers distrust the same one", async () => {
  const { source, logins } = counted();
  const token = await source.current();
  source.distrust(token);
  expect(await source.current()).toBe("token-2");
  source.distrust(token); // came late
  expect(await source.current()).toBe("token-2");
  expect(logins()).toBe(2);
});

it("replaces a token that is older than the caller wants", async () => {
  const { source, clock } = counted();
  await source.current();
  await clock.advance(5_000);
  expect(await source.current(10_000)).toBe("token-1");
  expect(await source.current(4_000)).toBe("token-2");
});

it("goes on without a token where etcd runs without authentication", async () => {
  const { source } = counted(() => fail(authIsOff));
  expect(await source.current()).toBeUndefined();
  expect(source.mayHelp(expired, undefined)).toBe(true);
});

it("rejects everybody who waits when the login fails, and tries again for the next", async () => {
  const { source } = counted((login) => (login === 1 ? fail(unavailable) : "token"));
  const [first, second] = await Promise.allSettled([source.current(), source.current()]);
  expect([first, second]).toMatchObject([{ reason: unavailable }, { reason: unavailable }]);
  expect(await source.current()).toBe("token");
});

it("asks seldom with a password that etcd refuses, however many ask it", async () => {
  const { source, clock, logins } = counted(() => fail(denied));
  for (let elapsedMs = 0; elapsedMs < 60_000; elapsedMs += 20) {
    await expect(source.current()).rejects.toBe(denied);
    await clock.advance(20);
  }
  expect(logins()).toBeGreaterThan(10);
  expect(logins()).toBeLessThan(16);
});

it("finds out within 5 s that its password is right now, and forgets the refusals", async () => {
  const { source, clock, logins } = counted((login) => (login === 4 ? "token" : fail(denied)));
  while ((await source.current().catch(() => undefined)) !== "token") await clock.advance(100);
  expect(clock.nowMs()).toBeLessThan(1_000 + 2_000 + 4_000 + 300);
  source.distrust("token");
  await expect(source.current()).rejects.toBe(denied);
  expect(logins()).toBe(5);
  await clock.advance(1_000);
  await expect(source.current()).rejects.toBe(denied);
  expect(logins()).toBe(6);
});

it("replaces a useless token at once, and one after another after pauses that grow", async () => {
  const { source, clock, logins } = counted();
  source.distrust(await source.current());
  source.distrust(await source.current());
  expect(logins()).toBe(2);
  void source.current();
  await clock.advance(40);
  expect(logins()).toBe(2);
  await clock.advance(20);
  expect(logins()).toBe(3);
  for (let elapsedMs = 0; elapsedMs < 60_000; elapsedMs += 20) {
    void source.current().then((token) => source.distrust(token));
    await clock.advance(20);
  }
  expect(logins()).toBeLessThan(40);
});

it("forgets useless tokens with one that lived", async () => {
  const { source, clock, logins } = counted();
  source.distrust(await source.current());
  const second = await source.current();
  await clock.advance(2_000);
  source.distrust(second);
  source.distrust(await source.current());
  expect(await source.current()).toBe("token-4");
  expect(logins()).toBe(4);
});

it("does not log in again for a denial of a token that cannot have expired", async () => {
  const { source, clock } = counted();
  const token = await source.current();
  expect(source.mayHelp(denied, token)).toBe(false);
  expect(source.mayHelp(expired, token)).toBe(true);
  await clock.advance(11_000);
  expect(source.mayHelp(denied, token)).toBe(true);
});

it("has nothing to offer without user and password", async () => {
  expect(await noTokens.current()).toBeUndefined();
  expect(noTokens.mayHelp(expired, undefined)).toBe(false);
});
