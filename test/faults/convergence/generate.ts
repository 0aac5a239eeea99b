/**
 * Makes the schedule of a seed. Every participant, the members and the operator have a lane each: in a lane one episode
 * follows the other, and the lanes know nothing of each other, so that their faults overlap in every way.
 */
import { type Random, randomInteger, seededRandom } from "../../../src/random.js";
import type { ProxyMode } from "../../support/tcp-proxy.js";
import type { Action, NetworkAction, OperatorAction, RegistrarPlan, Schedule, TimedAction } from "./schedule.js";
import { FAULTS_MS } from "./schedule.js";

const MEMBERS = 3;
const ADDRESSES = ["10.0.0.1:50051", "10.0.0.2:50051", "10.0.0.3:50051"];

export function generate(seed: number): Schedule {
  const chance = chances(seededRandom(seed));
  const registrars: RegistrarPlan[] = [...ADDRESSES, chance.oneOf(ADDRESSES)].map((address, index) => ({
    name: `server-${index + 1}`,
    address,
  }));
  const clients = ["client-1", "client-2", "client-3"];
  const lanes = [
    ...registrars.map(({ name }) => registrarLane(chance, name)),
    ...clients.map((name) => clientLane(chance, name)),
    ...[...registrars.map(({ name }) => name), ...clients].map((name) => networkLane(chance, name)),
    membersLane(chance),
    operatorLane(chance),
  ];
  const actions = lanes
    .flat()
    .filter(({ atMs }) => atMs < FAULTS_MS)
    .sort((a, b) => a.atMs - b.atMs);
  return { seed, etcd: chance.oneOf(["3.4", "3.5"] as const), registrars, clients, actions };
}

type Lane = readonly TimedAction[];
type Chance = ReturnType<typeof chances>;

function registrarLane(chance: Chance, name: string): Lane {
  const { lane, after } = newLane();
  const act = (what: Extract<Action, { kind: "registrar" }>["act"]) =>
    ({ kind: "registrar", name, act: what }) as const;
  after(chance.between(0, 4_000), act("start"));
  while (after.nowMs < FAULTS_MS) {
    const alive = chance.between(1_500, 10_000);
    switch (chance.weighted({ update: 3, deregister: 2, kill: 2, pause: 2, block: 1 })) {
      case "update":
        after(chance.between(200, 4_000), act("update"));
        break;
      case "deregister":
        after(alive, act("deregister"));
        after(chance.between(0, 12_000), act("start"));
        break;
      case "kill":
        after(alive, act("kill"));
        after(chance.between(100, 7_000), act("start"));
        break;
      case "pause":
        after(alive, act("pause"));
        after(chance.between(300, 9_000), act("resume")); // shorter and longer than a TTL
        break;
      case "block": {
        const blockMs = chance.between(300, 7_000);
        after(alive, act({ blockMs }));
        after.wait(blockMs);
      }
    }
  }
  return lane;
}

function clientLane(chance: Chance, name: string): Lane {
  const { lane, after } = newLane();
  const act = (what: Extract<Action, { kind: "client" }>["act"]) => ({ kind: "client", name, act: what }) as const;
  after(chance.between(0, 4_000), act("start"));
  while (after.nowMs < FAULTS_MS) {
    const alive = chance.between(2_000, 12_000);
    switch (chance.weighted({ pause: 3, kill: 1, nothing: 3 })) {
      case "pause":
        after(alive, act("pause"));
        after(chance.between(300, 8_000), act("resume"));
        break;
      case "kill":
        after(alive, act("kill"));
        after(chance.between(100, 3_000), act("start"));
        break;
      case "nothing":
        after.wait(alive);
    }
  }
  return lane;
}

function networkLane(chance: Chance, of: string): Lane {
  const { lane, after } = newLane();
  if (chance.weighted({ calm: 2, rough: 3 }) === "calm") return lane;
  const act = (to: NetworkAction["to"], mode: NetworkAction["mode"]) => ({ kind: "network", of, to, mode }) as const;
  while (after.nowMs < FAULTS_MS) {
    const to = chance.weighted({ all: 2, one: 3 }) === "all" ? "all" : chance.integer(MEMBERS);
    const mode = chance.weighted<ProxyMode & string>({ "black-hole": 4, refuse: 2, "drop-responses": 3, pass: 0 });
    switch (chance.weighted({ broken: 5, cut: 3, delay: 2, slow: 1 })) {
      case "cut":
        after(chance.between(500, 8_000), act(to, "cut"));
        // Again while whatever was cut is being opened.
        for (let more = chance.integer(4); more > 0; more -= 1) after(chance.between(20, 400), act(to, "cut"));
        break;
      case "broken":
        after(chance.between(500, 8_000), act(to, mode));
        after(chance.between(200, 9_000), act(to, "pass"));
        break;
      case "delay":
        after(chance.between(500, 8_000), act(to, { delayMs: chance.between(20, 1_500) }));
        after(chance.between(1_000, 8_000), act(to, "pass"));
        break;
      case "slow":
        after(chance.between(500, 8_000), act(to, { bytesPerSecond: chance.between(500, 20_000) }));
        // In the middle of what takes so long to arrive.
        for (let more = chance.integer(4); more > 0; more -= 1) after(chance.between(100, 2_000), act(to, "cut"));
        after(chance.between(500, 4_000), act(to, "pass"));
    }
  }
  return lane;
}

function membersLane(chance: Chance): Lane {
  const { lane, after } = newLane();
  const act = (
    what: Extract<Action, { kind: "members" }>["act"],
    who: Extract<Action, { kind: "members" }>["who"] = "all",
  ) => ({ kind: "members", act: what, who }) as const;
  if (chance.weighted({ calm: 1, rough: 4 }) === "calm") return lane;
  after.wait(2_000);
  while (after.nowMs < FAULTS_MS) {
    const who = chance.weighted({ leader: 4, follower: 3, two: 2, all: 2 });
    switch (chance.weighted({ pause: 4, kill: 4, wipe: 2, rolling: 1 })) {
      case "pause":
        after(chance.between(500, 5_000), act("pause", who));
        after(chance.between(300, 8_000), act("revive"));
        break;
      case "kill":
        after(chance.between(500, 5_000), act("kill", who));
        after(chance.between(0, 8_000), act("revive"));
        break;
      case "wipe":
        after(chance.between(500, 5_000), act("wipe"));
        after(chance.between(0, 6_000), act("revive"));
        break;
      case "rolling":
        after(chance.between(500, 5_000), act("restart one by one"));
        after.wait(4_000);
    }
  }
  return lane;
}

function operatorLane(chance: Chance): Lane {
  const { lane, after } = newLane();
  after.wait(2_000);
  while (after.nowMs < FAULTS_MS) {
    const act = chance.weighted<OperatorAction["act"]>({
      "delete key": 4,
      "delete prefix": 2,
      "revoke lease": 4,
      "put without lease": 3,
      "put garbage without lease": 2,
      "put garbage under lease": 2,
      "put foreign key": 2,
      "delete foreign key": 2,
      "put to a neighbour": 1,
      churn: 4,
      compact: 4,
      defragment: 1,
    });
    const details = { address: chance.oneOf(ADDRESSES), changes: chance.between(2, 80) };
    after(chance.between(50, 1_500), { kind: "operator", act, ...details } as OperatorAction); // what it has no use for is ignored
    // Whoever is cut off meanwhile cannot go on from where it was.
    if (act === "churn" && chance.integer(2) === 0) {
      after(chance.between(50, 500), { kind: "operator", act: "compact" });
    }
  }
  return lane;
}

/** A lane, and what adds an action so many milliseconds after the one before. */
function newLane() {
  const lane: TimedAction[] = [];
  const after = Object.assign(
    (delayMs: number, action: Action) => {
      after.nowMs += delayMs;
      lane.push({ ...action, atMs: after.nowMs });
    },
    {
      nowMs: 0,
      wait(delayMs: number) {
        after.nowMs += delayMs;
      },
    },
  );
  return { lane, after };
}

function chances(random: Random) {
  const integer = (bound: number) => randomInteger(random, bound);
  return {
    integer,
    /** Whole milliseconds. */
    between: (low: number, high: number) => low + integer(high - low),
    oneOf: <T>(all: readonly T[]) => all[integer(all.length)] as T, // below the length
    /** One of the names, each as often as its weight says. */
    weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
      const all = Object.entries(weights) as [K, number][];
      let left = random() * all.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [name, weight] of all) {
        left -= weight;
        if (left < 0) return name;
      }
      throw new Error("the weights add up to more than any draw");
    },
  };
}
