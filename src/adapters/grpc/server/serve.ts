/**
 * A gRPC server that is registered exactly while it can answer.
 *
 *     bind → healthy → register          a failure undoes what went before and rejects
 *     deregister → let it spread → finish calls in flight → close
 *
 * Why this order: registered before bound sends callers to a closed port; closed before deregistered does so too, and so
 * does closing before the clients' views have changed.
 */
import { type ChannelOptions, Server, type ServerInterceptor } from "@grpc/grpc-js";
import { checkObject } from "../../../check-kind.js";
import { checkDuration } from "../../../deadline-queue.js";
import { reportStray } from "../../../errors.js";
import { listenOn } from "../../../grpc-listen.js";
import { type HostPort, parseHostPort } from "../../../host-port.js";
import {
  type Clock,
  type NewInstance,
  type Registration,
  type Registry,
  sleep,
  systemClock,
  whileAnswering,
} from "../../../index.js";
import { refuseUnknownOptions } from "../../../known-options.js";
import type { ServiceSource } from "../client-types.js";
import { type ServerTlsOptions, serverCredentials } from "../tls.js";
import { advertisedAddress } from "./advertise.js";
import { type Answering, forItself } from "./grpc-js-handler.js";
import { type ImplementationOf, servable } from "./handlers.js";
import { healthService } from "./health.js";
import { type OpenCalls, openCalls } from "./open-calls.js";
import { checkSignals, type ShutdownSignal, shutdownSignal } from "./shutdown-signal.js";

export interface ServeOptions<S extends readonly ServiceSource[]>
  extends Pick<NewInstance, "weight" | "zone" | "version" | "metadata"> {
  /** Where the server is registered; it stays the caller's. */
  readonly registry: Registry;
  /** The name under which clients find the server. */
  readonly service: string;
  /** `host:port`; port 0 takes a free one, 0.0.0.0 listens on all addresses. */
  readonly listen: string;
  /** Each service with what implements it. The standard health service comes along. */
  readonly handlers: { readonly [K in keyof S]: readonly [service: S[K], implementation: ImplementationOf<S[K]>] };
  /**
   * The address to register: `host:port`, or `auto` (the default): the host that `listen` names or, where that is a wildcard,
   * the local end of the connection to the registry.
   */
  readonly advertise?: string | undefined;
  /** The server's certificate and key; default: none, everything travels in clear text. */
  readonly tls?: ServerTlsOptions | undefined;
  /** grpc-js server interceptors, outermost first. */
  readonly interceptors?: readonly ServerInterceptor[] | undefined;
  /** grpc-js's options for servers, such as `grpc.max_receive_message_length`. */
  readonly channelOptions?: ChannelOptions | undefined;
  /**
   * Whether calls that handlers make inherit the deadline and the cancellation of the call that they answer; default true. It
   * takes an `AsyncLocalStorage`, which Node 20 makes every promise of the process pay for: about a tenth of the CPU of a server
   * whose handlers do next to nothing. Turn it off in one that calls nobody.
   */
  readonly passDeadlineOn?: boolean | undefined;
  /** How long the registry may take to be reached, and again to register; default 10,000 ms. */
  readonly startTimeoutMs?: number | undefined;
  /** From deregistering until no more calls are taken: clients' views change meanwhile; default 1,000 ms. */
  readonly spreadMs?: number | undefined;
  /** How long calls in flight may take to finish before they are cut, with UNAVAILABLE; default 5,000 ms. */
  readonly drainMs?: number | undefined;
  /** Signals that drain the server, or give up its start; a second one ends the process at once. Default SIGTERM and SIGINT, `[]` for none. */
  readonly signals?: readonly NodeJS.Signals[] | undefined;
  readonly clock?: Clock | undefined;
}

const DEFAULTS = {
  advertise: "auto",
  passDeadlineOn: true,
  startTimeoutMs: 10_000,
  spreadMs: 1_000,
  drainMs: 5_000,
  signals: ["SIGTERM", "SIGINT"],
} as const;

/** For the last status to reach the client of a call that is cut: many round trips, and nothing to whoever waits for the end. */
const CUT_MS = 500;

const KNOWN: Readonly<Record<keyof ServeOptions<readonly []>, true>> = {
  registry: true,
  service: true,
  listen: true,
  handlers: true,
  advertise: true,
  weight: true,
  zone: true,
  version: true,
  metadata: true,
  tls: true,
  interceptors: true,
  channelOptions: true,
  passDeadlineOn: true,
  startTimeoutMs: true,
  spreadMs: true,
  drainMs: true,
  signals: true,
  clock: true,
};

/** A running server. It does not close the registry. */
export interface ServeHandle extends AsyncDisposable {
  /** As registered, `host:port`. */
  readonly address: string;
  readonly registration: Registration;
  /** Resolves when the server has closed, by `close()` or a signal; never rejects. */
  readonly closed: Promise<void>;
  /** Drains: deregisters, lets it spread, lets calls in flight finish and closes. Calling it again changes nothing. */
  close(): Promise<void>;
}

/**
 * Starts a server and registers it. Rejects with a `RollcallError`: `ADDRESS_IN_USE` for a port that is taken,
 * `INVALID_ARGUMENT` for an unknown option, handlers that are not those of their service, and an address that cannot be
 * listened on or that others cannot reach, `CANCELLED` at one of `signals`, and what the registry says when it cannot
 * register. Then nothing is registered and the port is free.
 */
export async function serve<const S extends readonly ServiceSource[]>(options: ServeOptions<S>): Promise<ServeHandle> {
  refuseUnknownOptions("serve()", options, KNOWN);
  checkObject("registry", options.registry, "register", "a registry, such as etcd() gives");
  checkDuration("startTimeoutMs", options.startTimeoutMs);
  checkDuration("spreadMs", options.spreadMs);
  checkDuration("drainMs", options.drainMs);
  checkSignals(options.signals ?? DEFAULTS.signals);
  const { clock = systemClock } = options;
  const listen = parseHostPort(options.listen, "listen");
  const credentials = serverCredentials(options.tls);
  const calls = openCalls();
  const interceptors = [calls.interceptor, ...(options.interceptors ?? [])];
  const server = new Server({ ...options.channelOptions, interceptors });
  const passDeadlineOn = options.passDeadlineOn ?? DEFAULTS.passDeadlineOn;
  const answering: Answering = { clock, within: passDeadlineOn ? whileAnswering : forItself };
  const services = options.handlers.map(([source, implementation]) => servable(source, implementation, answering));
  const health = healthService(
    services.flatMap(({ names }) => names),
    { clock, within: forItself },
  );
  for (const { definition, implementation } of [...services, health]) server.addService(definition, implementation);
  const bound: BoundServer = {
    setHealthy: health.setServing,
    finish: async (drainMs) => {
      health.close();
      await shutDown(server, calls, clock, drainMs);
    },
  };

  const stopping = shutdownSignal(options.signals ?? DEFAULTS.signals);
  try {
    const port = await listenOn(server, listen, credentials);
    bound.setHealthy(true);
    const registration = await register({ host: listen.host, port }, options, stopping.signal);
    return new RunningServer(bound, registration, {
      clock,
      spreadMs: options.spreadMs ?? DEFAULTS.spreadMs,
      drainMs: options.drainMs ?? DEFAULTS.drainMs,
      stopping,
    });
  } catch (error) {
    await bound.finish(0);
    stopping[Symbol.dispose]();
    throw error;
  }
}

interface BoundServer {
  setHealthy(healthy: boolean): void;
  /** Takes no more calls, gives those in flight `drainMs`, and closes. */
  finish(drainMs: number): Promise<void>;
}

interface Shutdown {
  readonly clock: Clock;
  readonly spreadMs: number;
  readonly drainMs: number;
  readonly stopping: ShutdownSignal;
}

class RunningServer implements ServeHandle {
  readonly registration: Registration;
  readonly closed: Promise<void>;
  readonly #server: BoundServer;
  readonly #shutdown: Shutdown;
  #announceClosed = () => {};
  #closing: Promise<void> | undefined;

  constructor(server: BoundServer, registration: Registration, shutdown: Shutdown) {
    this.#server = server;
    this.registration = registration;
    this.#shutdown = shutdown;
    this.closed = new Promise((resolve) => {
      this.#announceClosed = resolve;
    });
    const { signal } = shutdown.stopping;
    const onSignal = () => void this.close().catch(reportStray);
    if (signal.aborted) onSignal();
    else signal.addEventListener("abort", onSignal, { once: true });
  }

  get address(): string {
    return this.registration.instance.address;
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #drain(): Promise<void> {
    const { clock, spreadMs, drainMs, stopping } = this.#shutdown;
    this.#server.setHealthy(false);
    try {
      await this.registration.close();
      await sleep(clock, spreadMs);
    } finally {
      await this.#server.finish(drainMs);
      stopping[Symbol.dispose]();
      this.#announceClosed();
    }
  }
}

async function register(
  bound: HostPort,
  options: ServeOptions<readonly ServiceSource[]>,
  stopping: AbortSignal,
): Promise<Registration> {
  const { registry, service, weight, zone, version, metadata } = options;
  stopping.throwIfAborted();
  const patience = { signal: stopping, timeoutMs: options.startTimeoutMs ?? DEFAULTS.startTimeoutMs };
  const address = await advertisedAddress(options.advertise ?? DEFAULTS.advertise, bound, registry, patience);
  const instance: NewInstance = {
    address,
    ...(weight !== undefined && { weight }),
    ...(zone !== undefined && { zone }),
    ...(version !== undefined && { version }),
    ...(metadata !== undefined && { metadata }),
  };
  return registry.register(service, instance, patience);
}

function shutDown(server: Server, calls: OpenCalls, clock: Clock, drainMs: number): Promise<void> {
  return new Promise((resolve) => {
    let timer = clock.after(drainMs, () => {
      calls.cut();
      timer = clock.after(CUT_MS, () => server.forceShutdown());
    });
    server.tryShutdown(() => {
      timer.cancel();
      resolve();
    });
  });
}
