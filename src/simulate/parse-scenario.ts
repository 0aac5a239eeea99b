/** A scenario from outside: JSON that is checked to the last field, since one that is misspelt would have no effect. */
import { RollcallError, toError } from "../errors.js";
import { type Check, flag, list, number, object, oneOf, optional, record, refuse, text } from "./check.js";
import type { Latency } from "./latency.js";
import { callsOf, MOST_CALLS, type Phase, type Scenario, type ServerGroup } from "./scenario.js";

/** Throws `INVALID_ARGUMENT` with the place of what is wrong, and what would be right there. */
export function parseScenario(json: string): Scenario {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new RollcallError("INVALID_ARGUMENT", `the scenario is no JSON: ${toError(cause).message}`, { cause });
  }
  return scenario(value, "");
}

const ms = number({ least: 0 });
const factor = number({ above: 0 });

const latencies = {
  constantMs: object<{ constantMs: number }>({ constantMs: ms }),
  exponentialMs: object<{ exponentialMs: number }>({ exponentialMs: number({ above: 0 }) }),
  quantiles: object<{ quantiles: readonly (readonly [number, number])[] }>({ quantiles }),
  samplesMs: object<{ samplesMs: readonly number[] }>({ samplesMs: list(ms) }),
};

const latency: Check<Latency> = (value, path) => {
  const given = record(value, path);
  const [kind, second] = Object.entries(latencies).filter(([name]) => Object.hasOwn(given, name));
  if (kind === undefined) return refuse(path, `must have one of ${Object.keys(latencies).join(", ")}`);
  if (second !== undefined) return refuse(path, `has both ${kind[0]} and ${second[0]}: give one of them`);
  return kind[1](value, path);
};

function quantiles(value: unknown, path: string): readonly (readonly [number, number])[] {
  const share = number({ least: 0, most: 1 });
  const pairs = list<readonly [number, number]>((pair, where) => {
    if (!Array.isArray(pair) || pair.length !== 2) refuse(where, "must be a pair [share, ms], e.g. [0.5, 167]");
    return [share(pair[0], `${where}[0]`), ms(pair[1], `${where}[1]`)];
  })(value, path);
  const ascending = pairs.every(([high, highMs], index) => {
    const [low, lowMs] = pairs[index - 1] ?? [-1, 0];
    return low < high && lowMs <= highMs;
  });
  if (!ascending || pairs[0]?.[0] !== 0 || pairs.at(-1)?.[0] !== 1) {
    refuse(path, "must ascend from a pair [0, …] to a pair [1, …]");
  }
  return pairs;
}

const span = { fromMs: ms, untilMs: optional(ms) };
const phases: { readonly [C in Phase["condition"]]: Check<Phase> } = {
  answers: object<Phase & { condition: "answers" }>({ ...span, condition: oneOf("answers"), latency }),
  slow: object<Phase & { condition: "slow" }>({ ...span, condition: oneOf("slow"), factor }),
  cold: object<Phase & { condition: "cold" }>({ ...span, untilMs: ms, condition: oneOf("cold"), factor }),
  fails: object<Phase & { condition: "fails" }>({
    ...span,
    condition: oneOf("fails"),
    afterMs: ms,
    share: optional(number({ above: 0, most: 1 })),
  }),
  hangs: object<Phase & { condition: "hangs" }>({ ...span, condition: oneOf("hangs") }),
  pauses: object<Phase & { condition: "pauses" }>({ ...span, untilMs: ms, condition: oneOf("pauses") }),
  down: object<Phase & { condition: "down" }>({ ...span, condition: oneOf("down") }),
};
const conditions = Object.keys(phases) as Phase["condition"][];

const phase: Check<Phase> = (value, path) => {
  const condition = oneOf(...conditions)(record(value, path).condition, `${path}.condition`);
  const checked = phases[condition](value, path);
  if (checked.untilMs !== undefined && checked.untilMs <= checked.fromMs)
    refuse(`${path}.untilMs`, "must be after fromMs");
  return checked;
};

const server: Check<ServerGroup> = (value, path) => {
  const checked = object<ServerGroup>({
    name: optional(text),
    count: optional(number({ least: 1, most: 50_000, whole: true })),
    latency,
    workers: optional(number({ least: 1, whole: true })),
    weight: optional(number({ above: 0 })),
    zone: optional(text),
    joinMs: optional(ms),
    leaveMs: optional(ms),
    phases: optional(list(phase)),
  })(value, path);
  if (checked.leaveMs !== undefined && checked.leaveMs <= (checked.joinMs ?? 0)) {
    refuse(`${path}.leaveMs`, "must be after joinMs");
  }
  return checked;
};

const scenario: Check<Scenario> = (value, path) => {
  const checked = fields(value, path);
  const { durationMs, servers } = checked;
  const calls = callsOf(checked);
  if (calls > MOST_CALLS) {
    refuse(path, `is of ${calls} calls, and ${MOST_CALLS} are the most: lower rate or durationMs`);
  }
  servers.forEach(({ joinMs = 0 }, place) => {
    if (joinMs >= durationMs) refuse(`servers[${place}].joinMs`, `must be before durationMs, ${durationMs}`);
  });
  return checked;
};

const fields = object<Scenario>({
  name: text,
  description: text,
  durationMs: number({ above: 0 }),
  rate: number({ above: 0 }),
  arrivals: optional(oneOf("poisson", "even")),
  clients: optional(number({ least: 1, whole: true })),
  timeoutMs: optional(number({ above: 0 })),
  idempotent: optional(flag),
  servers: list(server),
});
