import { expect, it } from "vitest";
import { virtualClock } from "../../../testing/virtual-clock.js";
import { statusError } from "./etcd-error.js";
import { noTokens, tokens } from "./token.js";

const expired = statusError(16, "etcdserver: invalid auth token", "a:1");
const denied = statusError(7, "etcdserver: permission denied", "a:1");
const authIsOff = statusError(9, "etcdserver: authentication is not enabled", "a:1");

function counted() {
  let logins = 0;
  const clock = virtualClock();
  const source = tokens(clock, async () => {
    logins += 1;
    return `token-${logins}`;
  });
  return { clock, source, logins: () => logins };
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
  const source = tokens(virtualClock(), () => Promise.reject(authIsOff));
  expect(await source.current()).toBeUndefined();
  expect(source.mayHelp(expired, undefined)).toBe(true);
});

it("rejects everybody who waits when the login fails, and tries again for the next", async () => {
  let logins = 0;
  const source = tokens(virtualClock(), async () => {
    logins += 1;
    if (logins === 1) throw denied;
    return "token";
  });
  const [first, second] = await Promise.allSettled([source.current(), source.current()]);
  expect([first, second]).toMatchObject([{ reason: denied }, { reason: denied }]);
  expect(await source.current()).toBe("token");
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
