import { balance } from "../../src/balancer/balance.js";
import { roundRobin } from "../../src/balancer/strategies/round-robin.js";
import type { CallContext, CallOptions, Layer } from "../../src/call/call.js";
import { compose } from "../../src/call/compose.js";
import { endpoints } from "../../src/endpoints/endpointer.js";
import type { ErrorCode } from "../../src/errors.js";
import { seededRandom } from "../../src/random.js";
import { manualConnections } from "../../src/testing/manual-connections.js";
import { manualMembership } from "../../src/testing/manual-registry.js";
import { virtualClock } from "../../src/testing/virtual-clock.js";
import { ADDRESSES, Failure } from "./retried-calls.js";

/** A service behind layers. `serve` answers each call that gets through; `count` tells how many did, and what was refused. */
export function layered(
  make: (environment: { clock: ReturnType<typeof virtualClock>; random: () => number }) => readonly Layer[],
) {
  const clock = virtualClock();
  const random = seededRandom(11);
  const membership = manualMembership();
  const connections = manualConnections((address) => address, {
    outcomeOf: (error) => (error instanceof Failure ? error.outcome : new Failure({}).outcome),
  });
  const balancer = balance(endpoints(membership, connections.connect, { clock, random }), roundRobin(), { clock });
  membership.live(...ADDRESSES);
  const inner = compose(balancer.call, ...make({ clock, random }));
  const service = {
    sent: 0,
    refused: {} as Partial<Record<ErrorCode, number>>,
    serve: (_context: CallContext): Promise<unknown> => Promise.resolve("answer"),
  };
  /** The code of the error, or the answer. */
  const call = (options?: CallOptions): Promise<unknown> =>
    inner(async (_client, context) => {
      service.sent += 1;
      return service.serve(context);
    }, options).catch(({ code }: { readonly code: ErrorCode }) => {
      service.refused[code] = (service.refused[code] ?? 0) + 1;
      return code;
    });
  /** So many calls a second, for so long. */
  const load = async (perSecond: number, seconds: number) => {
    for (let n = 0; n < perSecond * seconds; n += 1) {
      void call({ timeoutMs: 10_000 });
      await clock.advance(1_000 / perSecond);
    }
  };
  return { clock, service, call, load };
}
