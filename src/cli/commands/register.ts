/**
 * Puts any server into the registry, in whatever language it is written.
 *
 * The order with a command is that of a server that does it itself: it accepts connections, then it is registered; it is
 * deregistered, clients hear of it, then it ends.
 */
import { setTimeout as delay } from "node:timers/promises";
import { memory, type NewInstance, type Registry, RollcallError } from "../../index.js";
import { etcd, goKitLayout } from "../../registry/etcd/index.js";
import { command } from "../command.js";
import { connectionOf, connectionOptions, prefixOption } from "../connection.js";
import { formatDuration, parseDuration, parsePositiveDuration } from "../duration.js";
import type { LineOutput } from "../line-output.js";
import { parsePositive } from "../number.js";
import { asText, flag, many, one, type ValuesOf } from "../options.js";
import { acceptsConnections } from "../register/accepts-connections.js";
import { announce } from "../register/announce.js";
import { type SupervisedCommand, startCommand } from "../register/supervised-command.js";
import { aborted, type StopSignal, stopSignal } from "../stop-signal.js";
import { UsageError } from "../usage-error.js";
import { within } from "../within.js";

// From deregistering until the signal is passed on: clients' views change meanwhile.
const SPREAD_MS = 1_000;
// Well within the 3 s in which we promise to be gone when etcd is down.
const DEREGISTER_TIMEOUT_MS = 2_000;
// What a command that could not be registered gets to end by itself.
const COMMAND_END_MS = 2_000;

const options = {
  ttl: one("duration", "how long etcd keeps the key when it no longer hears of us", parsePositiveDuration, {
    default: "10s",
  }),
  weight: one("number", "its share of traffic relative to the others, above 0", parsePositive),
  zone: one("name", "where it runs", asText),
  meta: many("key=value", "what else there is to say of it", asPair),
  "start-timeout": one("duration", "how long etcd may take to answer at the start; 0 keeps trying", parseDuration, {
    default: "10s",
  }),
  ...connectionOptions,
  prefix: prefixOption,
  json: flag('NDJSON on stdout: {"event":"registered"|"lost"|"superseded"|"deregistered", …}'),
};

export const register = command({
  verb: "register",
  summary: "register a server and keep it registered until it is stopped",
  description:
    "Writes the key <prefix><service>/<host:port> with the value <host:port> and keeps it until SIGINT or SIGTERM, then\n" +
    "removes it and exits with 0. With --weight, --zone or --meta the value is JSON, which go-kit clients cannot read.\n" +
    "\n" +
    "With a command: starts it, and registers once the address accepts connections (start-timeout counts for this too).\n" +
    "On a signal it deregisters, lets that spread, passes the signal on, waits and exits with the command's code.\n" +
    "With --json the command's stdout goes to stderr.",
  operands: [
    { name: "service", help: "the service's name, e.g. book" },
    { name: "host:port", help: "where others reach the server" },
  ],
  options,
  trailing: { name: "command args…", help: "the server to start, and to stop after it is deregistered" },
  examples: [
    "rollcall register book 10.0.0.5:50051",
    "rollcall register book 10.0.0.5:50051 --ttl 5s -- ./book-server --port 50051",
  ],

  async run({ values, operands: [service = "", address = ""], trailing }, stdout) {
    const instance = instanceOf(address, values);
    await rehearse(service, instance, values.prefix);
    const registry = etcd({ ...connectionOf(values), prefix: values.prefix, ttlMs: values.ttl });
    let child: SupervisedCommand | undefined;
    using stop = stopSignal(() => child?.kill()); // before the command: no signal may end us and leave it behind
    if (trailing) child = await startCommand(trailing, values.json ? "stderr" : "stdout");
    try {
      await keepRegistered({ registry, service, instance, values, child, stop, stdout });
    } catch (error) {
      await child?.end(COMMAND_END_MS);
      throw error;
    } finally {
      await registry.close();
      await stdout.flush();
    }
    if (stop.received !== undefined) child?.send(stop.received);
    return child ? await child.exited : 0;
  },
});

interface Task {
  readonly registry: Registry;
  readonly service: string;
  readonly instance: NewInstance;
  readonly values: ValuesOf<typeof options>;
  readonly child: SupervisedCommand | undefined;
  readonly stop: StopSignal;
  readonly stdout: LineOutput;
}

/** Resolves when it is deregistered again, or when somebody ended it before it was registered. */
async function keepRegistered({ registry, service, instance, values, child, stop, stdout }: Task): Promise<void> {
  const ending = child ? AbortSignal.any([stop.signal, child.gone]) : stop.signal;
  const timeoutMs = values["start-timeout"] || Number.POSITIVE_INFINITY;
  try {
    if (child) await acceptsWithin(timeoutMs, instance.address, ending);
    const registration = await registry.register(service, instance, { timeoutMs, signal: ending });
    announce(registration, stdout, values.json);
    await aborted(ending);
    await registration.close({ timeoutMs: DEREGISTER_TIMEOUT_MS });
    const deregistered = registration.current.reason === undefined;
    if (child && deregistered) await delay(SPREAD_MS, undefined, { signal: child.gone });
  } catch (error) {
    if (!ending.aborted) throw error;
  }
}

async function acceptsWithin(timeoutMs: number, address: string, ending: AbortSignal): Promise<void> {
  try {
    await within(timeoutMs, ending, (signal) => acceptsConnections(address, signal));
  } catch (cause) {
    if (ending.aborted) throw cause;
    const message = `the command did not accept connections on ${address} within ${formatDuration(timeoutMs)}; it was stopped`;
    throw new RollcallError("CALL_FAILED", message, { cause });
  }
}

/** Refuses what the registry would refuse, before a command is started for nothing. */
async function rehearse(service: string, instance: NewInstance, prefix: string): Promise<void> {
  await using registry = memory();
  await registry.register(service, instance);
  goKitLayout({ prefix }).encode(service, instance, 0n);
}

function instanceOf(address: string, { weight, zone, meta }: ValuesOf<typeof options>): NewInstance {
  return {
    address,
    ...(weight !== undefined && { weight }),
    ...(zone !== undefined && { zone }),
    ...(meta.length > 0 && { metadata: Object.fromEntries(meta) }),
  };
}

function asPair(text: string): readonly [string, string] {
  const equals = text.indexOf("=");
  if (equals < 1) throw new UsageError(`"${text}" is no pair: write key=value`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}
