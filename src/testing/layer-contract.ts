/**
 * What every layer owes to the calls that it wraps, as tests: to leave a call alone that it lets through, and to let go of it
 * when it ends. The test framework is passed in, as in the registry contract.
 */
import assert from "node:assert/strict";
import { balance } from "../balancer/balance.js";
import { roundRobin } from "../balancer/strategies/round-robin.js";
import type { CallContext, Layer } from "../call/call.js";
import { compose } from "../call/compose.js";
import { retry } from "../call/retry/retry.js";
import { endpoints } from "../endpoints/endpointer.js";
import { RollcallError } from "../errors.js";
import type { Outcome } from "../outcome.js";
import { seededRandom } from "../random.js";
import { manualConnections } from "./manual-connections.js";
import { manualMembership } from "./manual-registry.js";
import type { TestFramework } from "./registry-contract.js";
import { type VirtualClock, virtualClock } from "./virtual-clock.js";

export interface LayerUnderTest {
  readonly name: string;
  /** Makes the layer anew, as it is when nothing is wrong: it has to let a hundred calls through, one after another. */
  readonly make: (environment: { readonly clock: VirtualClock; readonly random: () => number }) => Layer;
}

const CALLS = 100;
const never = () => new Promise<never>(() => {});

export function layerContract({ describe, it }: TestFramework, { name, make }: LayerUnderTest): void {
  const places = {
    "around each attempt": (layer: Layer, again: Layer) => [layer, again],
    "around the whole call": (layer: Layer, again: Layer) => [again, layer],
  };
  for (const [place, order] of Object.entries(places)) {
    const setUp = () => {
      const clock = virtualClock();
      const random = seededRandom(3);
      const membership = manualMembership();
      const connections = manualConnections((address) => address);
      const balancer = balance(endpoints(membership, connections.connect, { clock, random }), roundRobin(), { clock });
      membership.live("10.0.0.1:1", "10.0.0.2:1");
      const call = compose(balancer.call, ...order(make({ clock, random }), retry({ clock, random })));
      return { clock, call };
    };

    describe(`${name} as a layer ${place}`, () => {
      it("passes results, options and context through, call after call", async () => {
        const { clock, call } = setUp();
        for (let n = 0; n < CALLS; n += 1) {
          let exclude: string | undefined;
          const value = await call(
            async (_client, { instance, attempt }) => {
              exclude = instance.address;
              return `${n} ${attempt}`;
            },
            { exclude: new Set(["10.0.0.1:1"]), timeoutMs: 1_000 },
          );
          assert.deepEqual([value, exclude], [`${n} 1`, "10.0.0.2:1"]);
          await clock.advance(100);
        }
      });

      it("passes an error on as it is", async () => {
        const { call } = setUp();
        const failure = new Error("no such book");
        const error = await call(() => Promise.reject(failure)).catch((thrown: unknown) => thrown);
        assert.equal(error instanceof RollcallError ? error.cause : error, failure);
      });

      it("lets a call be cancelled, and its operation know", async () => {
        const { call } = setUp();
        const leaving = new AbortController();
        let told = 0;
        const hanging = (_client: string, context: CallContext) => {
          context.onCancel(() => {
            told += 1;
          });
          return never();
        };
        const ended = call(hanging, { signal: leaving.signal, timeoutMs: 60_000 }).catch((thrown: unknown) => thrown);
        leaving.abort();
        const error = await ended;
        assert.ok(error instanceof RollcallError && error.code === "CANCELLED");
        assert.equal(told, 1);
      });

      it("keeps the deadline, and no timer after it", async () => {
        const { clock, call } = setUp();
        const ended = call(never, { timeoutMs: 500 }).catch((thrown: unknown) => thrown);
        await clock.advance(499);
        assert.equal(await Promise.race([ended, "waiting"]), "waiting");
        await clock.advance(1);
        const error = await ended;
        assert.ok(error instanceof RollcallError && error.code === "DEADLINE_EXCEEDED");
        await clock.advance(600_000);
        assert.equal(clock.pendingTimers, 0);
      });

      it("lets go of calls however they end, streams at their end", async () => {
        const { clock, call } = setUp();
        for (let n = 0; n < CALLS; n += 1) {
          let end = (_: Outcome) => {};
          const stream = async (_client: string, context: CallContext) => {
            context.holdUntil(
              new Promise((resolve) => {
                end = resolve;
              }),
            );
            return "first message";
          };
          assert.equal(await call(stream, { timeoutMs: 60_000 }), "first message");
          end({ kind: "ok", reached: "maybe-seen" });
          const leaving = new AbortController();
          const given = call(never, { signal: leaving.signal }).catch(() => {});
          leaving.abort();
          await given;
          if (n % 5 === 0) await call(() => Promise.reject(new Error("a mishap"))).catch(() => {});
          await clock.advance(200);
        }
        await clock.advance(600_000);
        assert.equal(clock.pendingTimers, 0);
        assert.equal(await call(async () => "answer"), "answer");
      });
    });
  }
}
