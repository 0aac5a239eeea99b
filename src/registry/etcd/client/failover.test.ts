import { expect, it } from "vitest";
import { virtualClock } from "../../../testing/virtual-clock.js";
import { EtcdError, statusError } from "./etcd-error.js";
import { type FailoverPlan, failover } from "./failover.js";
import { members } from "./members.js";

const down = statusError(14, "connection refused", "a:1");
const refusal = statusError(5, "etcdserver: requested lease not found", "a:1");
const never = () => new Promise<string>(() => {});

function scene(attempt: FailoverPlan<string, string>["attempt"], rounds = 10) {
  const clock = virtualClock();
  const order = members(["a", "b", "c"], () => 0);
  const tried: string[] = [];
  const faults: string[] = [];
  const caller = new AbortController();
  const answer = failover<string, string>({
    members: order,
    attempt: (member, signal) => {
      tried.push(member);
      return attempt(member, signal);
    },
    shareMs: 1_500,
    rounds,
    onFault: (member, fault) => faults.push(`${member} ${fault === "slow" ? "slow" : "failed"}`),
    clock,
    random: () => 1,
    signal: caller.signal,
  });
  answer.catch(() => {});
  return { clock, order, tried, faults, caller, answer };
}

it("goes to the next member at once when one fails, and puts the failed one last", async () => {
  const { answer, order, tried } = scene(async (member) => {
    if (member === "a") throw down;
    return member;
  });
  expect(await answer).toBe("b");
  expect(tried).toEqual(["a", "b"]);
  expect(order.inOrder).toEqual(["b", "c", "a"]);
});

it("asks another member beside one that is slow, and cancels the slow one when that answers", async () => {
  let slowWasCancelled = false;
  const { answer, clock, tried, faults } = scene((member, signal) => {
    if (member !== "a") return Promise.resolve(member);
    signal.addEventListener("abort", () => {
      slowWasCancelled = true;
    });
    return never();
  });
  await clock.advance(1_400);
  expect(tried).toEqual(["a"]);
  await clock.advance(200);
  expect(await answer).toBe("b");
  expect(faults).toEqual(["a slow"]);
  expect(slowWasCancelled).toBe(true);
  expect(clock.pendingTimers).toBe(0);
});

it("takes the slow member's answer when it comes first after all", async () => {
  let answerOfA = (_answer: string) => {};
  const { answer, clock } = scene((member) =>
    member === "a" ? new Promise((resolve) => (answerOfA = resolve)) : never(),
  );
  await clock.advance(2_000);
  answerOfA("late");
  expect(await answer).toBe("late");
});

it("rejects with a refusal without asking anybody else", async () => {
  const { answer, tried } = scene(() => Promise.reject(refusal));
  await expect(answer).rejects.toBe(refusal);
  expect(tried).toEqual(["a"]);
});

it("tries all members again after a pause", async () => {
  let attempts = 0;
  const { answer, clock, tried } = scene(async (member) => {
    attempts += 1;
    if (attempts <= 3) throw down;
    return member;
  });
  await clock.advance(99);
  expect(tried).toEqual(["a", "b", "c"]);
  await clock.advance(1);
  expect(await answer).toBe("a");
});

it("gives up after its last round, once nobody is left who may answer", async () => {
  let failA = (_error: Error) => {};
  const { answer, clock } = scene((member) => {
    if (member === "a") return new Promise((_resolve, reject) => (failA = reject));
    return Promise.reject(down);
  }, 1);
  let over = false;
  answer.catch(() => {
    over = true;
  });
  await clock.advance(5_000);
  expect(over).toBe(false);
  failA(down);
  await expect(answer).rejects.toBe(down);
});

it("ends with the signal's reason and leaves no timer", async () => {
  const { answer, clock, caller } = scene(never);
  const reason = new EtcdError("timeout", 4, "time is up");
  caller.abort(reason);
  await expect(answer).rejects.toBe(reason);
  expect(clock.pendingTimers).toBe(0);
});
