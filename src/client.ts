/**
 * The whole path for one service, assembled with defaults that are meant to be kept: who is present, a connection to each,
 * one chosen per call, and another attempt when it fails.
 */
import { balance, WHEN_EMPTY } from "./balancer/balance.js";
import type { Balancer } from "./balancer/balancer.js";
import { tryBalancer } from "./balancer/check-balancer.js";
import { type EjectionOptions, ejectionRule } from "./balancer/ejection/ejection-rule.js";
import type { Metric } from "./balancer/meter.js";
import { peakEwma } from "./balancer/meters/peak-ewma.js";
import { p2c } from "./balancer/strategies/p2c.js";
import type { Strategy } from "./balancer/strategy.js";
import type { Call, Layer } from "./call/call.js";
import { compose } from "./call/compose.js";
import { inheritDeadline } from "./call/deadline.js";
import { type RetryOptions, retry } from "./call/retry/retry.js";
import { defaultTimeout } from "./call/timeout.js";
import { checkChoice, checkFlag, checkFunction, checkObject, described } from "./check-kind.js";
import { type Clock, systemClock } from "./clock.js";
import { checkDuration } from "./deadline-queue.js";
import type { Connect, Endpointer } from "./endpoints/endpoint.js";
import { endpoints } from "./endpoints/endpointer.js";
import type { Subset } from "./endpoints/subsets/subset.js";
import { subsetEndpoints } from "./endpoints/subsets/subset-endpoints.js";
import { RollcallError } from "./errors.js";
import type { Membership } from "./instance.js";
import { refuseUnknownOptions } from "./known-options.js";
import type { Live } from "./live.js";
import type { Logger } from "./logger.js";
import type { Random } from "./random.js";
import type { Registry } from "./registry/registry.js";

export interface ClientOptions<C> {
  /** Where the service is looked up. It stays the caller's: closing the client leaves it open. */
  readonly registry: Registry;
  /** The service's name in the registry. */
  readonly service: string;
  /** Makes the connection to an instance, as `grpcConnect(Service)` does. (go-kit: Factory.) */
  readonly connect: Connect<C>;
  /** Which endpoint takes a call; default `p2c()`. (gRPC: the load balancing policy; Envoy: `lb_policy`.) */
  readonly strategy?: Strategy | undefined;
  /** How endpoints are measured, for strategies that ask for a cost; default `peakEwma()`. (Finagle: the load metric.) */
  readonly metric?: Metric | undefined;
  /** Keeps calls away from endpoints that fail; default: as `EjectionOptions` say. `false` ejects nobody. */
  readonly ejection?: EjectionOptions | false | undefined;
  /**
   * Around each attempt, listed from the balancer outwards, inside of the retries: a layer that protects the service has to see
   * all that is sent there. What a layer refuses is not tried again. Default: none.
   */
  readonly layers?: readonly Layer[] | undefined;
  /** How calls are repeated; default: as `retry()` does. `false` makes one attempt only. */
  readonly retry?: Omit<RetryOptions, "idempotent" | "clock" | "random"> | false | undefined;
  /** Whether calls that do not say so themselves may be repeated; default false. */
  readonly idempotent?: boolean | undefined;
  /**
   * The deadline of a call that brings none, waiting and all attempts included; default 10,000 ms, `Infinity` for none. With 0
   * every such call fails with `DEADLINE_EXCEEDED`.
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Whether a call made while another is being answered gets no more time than that one has left, and ends with it: default
   * true. Only handlers of `serve()` and `whileAnsweringHttp` are known to answer; `detached` exempts what they leave running.
   * (gRPC: deadline propagation.)
   */
  readonly inheritDeadline?: boolean | undefined;
  /**
   * Connects to some of the instances only: `randomSubset()` or `aperture()`. Default: to all, which is right up to some
   * hundred. (gRPC: `random_subsetting`, gRFC A68; Finagle: aperture.)
   */
  readonly subset?: Subset | undefined;
  /** See `BalancerOptions`; default `wait`. With `fail`, call only after `await client.ready()`. */
  readonly whenEmpty?: "wait" | "fail" | undefined;
  /** See `EndpointerOptions`; default 5,000 ms. */
  readonly drainMs?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly logger?: Logger | false | undefined;
}

/** A service that can be called. Closing it lets calls in progress finish and closes the connections. */
export interface ServiceClient<C> extends AsyncDisposable {
  readonly call: Call<C>;
  readonly membership: Live<Membership>;
  readonly endpoints: Endpointer<C>;
  readonly balancer: Balancer<C>;
  /** Resolves as soon as an endpoint is ready. */
  ready(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  close(): Promise<void>;
}

const DEFAULTS = { timeoutMs: 10_000, inheritDeadline: true };

const KNOWN: Readonly<Record<keyof ClientOptions<unknown>, true>> = {
  registry: true,
  service: true,
  connect: true,
  strategy: true,
  subset: true,
  metric: true,
  ejection: true,
  layers: true,
  retry: true,
  idempotent: true,
  timeoutMs: true,
  inheritDeadline: true,
  whenEmpty: true,
  drainMs: true,
  clock: true,
  random: true,
  logger: true,
};

export function client<C>(options: ClientOptions<C>): ServiceClient<C> {
  // First what may be refused, then what would have to be closed.
  refuseUnknownOptions("client()", options, KNOWN);
  checkKinds(options);
  const { strategy = p2c(), metric = peakEwma() } = options;
  const { clock, random, logger, idempotent } = options;
  tryBalancer(strategy, metric, clock ?? systemClock);
  const layers = [...(options.layers ?? [])];
  if (options.retry !== false) layers.push(retry({ ...options.retry, idempotent, clock, random }));
  if (options.inheritDeadline ?? DEFAULTS.inheritDeadline) layers.push(inheritDeadline());
  layers.push(defaultTimeout(options.timeoutMs ?? DEFAULTS.timeoutMs));
  checkDuration("drainMs", options.drainMs);
  if (options.ejection) ejectionRule(options.ejection);
  const instancer = options.registry.instancer(options.service);
  const endpointerOptions = { drainMs: options.drainMs, clock, random, logger };
  const endpointer =
    options.subset === undefined
      ? endpoints(instancer, options.connect, endpointerOptions)
      : subsetEndpoints(instancer, options.subset, options.connect, endpointerOptions);
  const balancer = balance(endpointer, strategy, {
    metric,
    ejection: options.ejection ?? {},
    whenEmpty: options.whenEmpty,
    service: options.service,
    clock,
    random,
    logger,
  });

  const close = async () => {
    await balancer.close();
    await endpointer.close();
    await instancer.close();
  };
  return {
    call: compose(balancer.call, ...layers),
    membership: instancer,
    endpoints: endpointer,
    balancer,
    ready: (readyOptions) => balancer.ready(readyOptions),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function checkKinds<C>({
  registry,
  service,
  connect,
  layers = [],
  retry,
  idempotent,
  ...rest
}: ClientOptions<C>): void {
  checkObject("registry", registry, "instancer", "a registry, such as etcd() gives");
  if (typeof service !== "string" || service === "") {
    throw new RollcallError("INVALID_ARGUMENT", "`service` has to be the name of a service in the registry");
  }
  checkFunction("connect", connect, "write e.g. grpcConnect(Service)");
  checkFlag("idempotent", idempotent);
  checkChoice("whenEmpty", rest.whenEmpty, WHEN_EMPTY);
  checkFlag("inheritDeadline", rest.inheritDeadline);
  if (rest.subset !== undefined) checkFunction("subset", rest.subset, "write e.g. randomSubset()");
  if (!Array.isArray(layers)) {
    throw new RollcallError(
      "INVALID_ARGUMENT",
      `\`layers\` has to be a list: write [throttle()]; it is ${described(layers)}`,
    );
  }
  for (const layer of layers) checkFunction("layers", layer, "write e.g. throttle()");
  if (retry !== undefined && retry !== false && (typeof retry !== "object" || retry === null)) {
    throw new RollcallError(
      "INVALID_ARGUMENT",
      `\`retry\` has to be false or the options of retry(), {} for its defaults; it is ${described(retry)}`,
    );
  }
}
