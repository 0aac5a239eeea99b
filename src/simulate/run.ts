/**
 * Runs a scenario: simulated servers and callers, and between them the client as it is shipped. Nothing of the client is
 * imitated: it is given a clock, a source of chance, a registry and connections, and cannot tell the difference.
 */
import { type ClientOptions, client, type ServiceClient } from "../index.js";
import { type Random, randomInteger, seededRandom } from "../random.js";
import { type ManualMembership, manualRegistry, type VirtualClock, virtualClock } from "../testing/index.js";
import { connectTo, type SimulatedClient } from "./connection.js";
import { exponential } from "./latency.js";
import type { RecordedAttempt, RecordedCall, Recording } from "./recording.js";
import { type Scenario, serversOf } from "./scenario.js";
import { Server } from "./server.js";

/** How the client under test is made; what is left out is as shipped. */
export type ClientUnderTest = Omit<
  ClientOptions<SimulatedClient>,
  "registry" | "service" | "connect" | "idempotent" | "timeoutMs" | "clock" | "random" | "logger"
>;

const SERVICE = "simulated";
const DEFAULTS = { clients: 1, timeoutMs: 10_000, idempotent: true };

/** One run. A seed repeats it exactly, and every client meets the same arrivals with it. */
export async function simulate(scenario: Scenario, underTest: ClientUnderTest, seed: number): Promise<Recording> {
  const clock = virtualClock();
  const sources = sourcesOf(seed);
  const callers = sources();
  const servers = serversOf(scenario).map((described, place) => new Server(place, described, clock, sources()));
  const registry = manualRegistry();
  announce(servers, registry.membership(SERVICE), clock);
  const byAddress = new Map(servers.map((server) => [server.instance.address, server]));
  const { timeoutMs, idempotent, clients } = { ...DEFAULTS, ...scenario };
  const own = sources();
  const crowd = Array.from({ length: clients }, () => {
    const random = seededRandom(own() * 2 ** 32);
    return client<SimulatedClient>({
      ...underTest,
      registry,
      service: SERVICE,
      connect: ({ address }) => connectTo(byAddress.get(address) as Server, clock, random), // only these are announced
      idempotent,
      timeoutMs,
      clock,
      random,
      logger: false,
    });
  });
  const traffic = callAll(scenario, crowd, byAddress, clock, callers);
  while (traffic.begins || traffic.open > 0) {
    clock.runNext();
    await promisesSettled();
  }
  return { scenario, calls: traffic.calls, attempts: traffic.attempts };
}

interface Traffic {
  readonly calls: RecordedCall[];
  readonly attempts: RecordedAttempt[];
  /** Whether another call will begin. */
  begins: boolean;
  /** Calls in progress. */
  open: number;
}

/** Lets calls begin, one after another, until the scenario ends. */
function callAll(
  { rate, arrivals, durationMs }: Scenario,
  crowd: readonly ServiceClient<SimulatedClient>[],
  servers: ReadonlyMap<string, Server>,
  clock: VirtualClock,
  random: Random,
): Traffic {
  const traffic: Traffic = { calls: [], attempts: [], begins: true, open: 0 };
  const distanceMs = 1_000 / rate;

  const begin = (caller: ServiceClient<SimulatedClient>) => {
    const beganMs = clock.nowMs();
    const ended = (ok: boolean) => {
      traffic.open -= 1;
      traffic.calls.push({ beganMs, tookMs: clock.nowMs() - beganMs, ok });
    };
    traffic.open += 1;
    caller
      .call((simulated, context) => {
        traffic.attempts.push({ atMs: clock.nowMs(), server: servers.get(context.instance.address)?.place ?? -1 });
        return simulated.call(context);
      })
      .then(
        () => ended(true),
        () => ended(false),
      );
  };
  const plan = () => {
    const inMs = arrivals === "even" ? distanceMs : exponential(distanceMs, random);
    traffic.begins = clock.nowMs() + inMs < durationMs;
    if (!traffic.begins) return;
    clock.after(inMs, () => {
      const caller = crowd[randomInteger(random, crowd.length)];
      if (caller !== undefined) begin(caller);
      plan();
    });
  };
  plan();
  return traffic;
}

/** Publishes who is there, now and whenever somebody joins or leaves. */
function announce(servers: readonly Server[], membership: ManualMembership, clock: VirtualClock): void {
  const publish = () => {
    const present = servers.filter((server) => server.present(clock.nowMs()));
    membership.live(...present.map(({ instance }) => instance));
  };
  publish();
  const changes = servers.flatMap(({ group: { joinMs = 0, leaveMs = 0 } }) => [joinMs, leaveMs]);
  for (const atMs of new Set(changes)) if (atMs > 0) clock.after(atMs, publish);
}

/** A source of its own for each part, so that what one draws changes nothing for another. */
function sourcesOf(seed: number): () => Random {
  const seeds = seededRandom(seed);
  return () => seededRandom(seeds() * 2 ** 32);
}

/**
 * Resolves when everybody has been told of every promise that is settled: called from a promise's reaction, as code after
 * `await` is, `nextTick` waits for all other reactions, and costs a fraction of a turn of the event loop.
 */
function promisesSettled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
