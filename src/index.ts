/** rollcall: service discovery and client-side load balancing. */

// What a program uses.

export { type ClientOptions, client, type ServiceClient } from "./client.js";
export { type Attempt, CallError, type ErrorCode, RollcallError } from "./errors.js";
export type { Instance, Membership, NewInstance } from "./instance.js";
export { changes, firstMatch, type Live } from "./live.js";
export type { Logger } from "./logger.js";
export type {
  CircuitBreakerEvent,
  EjectionEvent,
  MassDeletionEvent,
  MembershipEvent,
  PanicEvent,
  RegistrationEvent,
} from "./observe/events.js";
export { fixed } from "./registry/fixed.js";
export { memory } from "./registry/memory.js";
export type {
  Instancer,
  RegisterOptions,
  Registration,
  RegistrationState,
  RegistrationStatus,
  Registry,
} from "./registry/registry.js";

// What its options are made of, and the same by hand: endpoints, a balancer over them, layers around its call.

export { type BalancerOptions, balance } from "./balancer/balance.js";
export type { Balancer, Pick, PickRequest } from "./balancer/balancer.js";
export { type BoundedLoadOptions, boundedLoad } from "./balancer/combinators/bounded-load.js";
export { type CanaryOptions, canary } from "./balancer/combinators/canary.js";
export { type FilterOptions, filter } from "./balancer/combinators/filter.js";
export type { Matching } from "./balancer/combinators/matching.js";
export { type PriorityOptions, priority } from "./balancer/combinators/priority.js";
export { type SlowStartOptions, slowStart } from "./balancer/combinators/slow-start.js";
export { type ZoneAwareOptions, zoneAware } from "./balancer/combinators/zone-aware.js";
export type { EjectionOptions } from "./balancer/ejection/ejection-rule.js";
export { balancerNamed, balancerNames, type NamedBalancer } from "./balancer/menu.js";
export { type PeakEwmaOptions, peakEwma } from "./balancer/meters/peak-ewma.js";
export { pending } from "./balancer/meters/pending.js";
export { leastRequest } from "./balancer/strategies/least-request.js";
export { type MaglevOptions, maglev } from "./balancer/strategies/maglev.js";
export { p2c } from "./balancer/strategies/p2c.js";
export { random } from "./balancer/strategies/random.js";
export { type RendezvousOptions, rendezvous } from "./balancer/strategies/rendezvous.js";
export { type RingHashOptions, ringHash } from "./balancer/strategies/ring-hash.js";
export { roundRobin } from "./balancer/strategies/round-robin.js";
export { weightedRoundRobin } from "./balancer/strategies/weighted-round-robin.js";
export type { Call, CallContext, CallOptions, Layer } from "./call/call.js";
export { type CircuitBreakerOptions, type CircuitState, circuitBreaker } from "./call/circuit-breaker.js";
export { compose } from "./call/compose.js";
export { type ConcurrencyLimitOptions, concurrencyLimit } from "./call/concurrency-limit.js";
export {
  detached,
  type IncomingCall,
  type InheritDeadlineOptions,
  incomingCall,
  inheritDeadline,
  whileAnswering,
} from "./call/deadline.js";
export { DEADLINE_HEADER, deadlineHeaders, whileAnsweringHttp } from "./call/http-deadline.js";
export { type RateLimitOptions, rateLimit } from "./call/rate-limit.js";
export { type RetryBudget, type RetryBudgetOptions, retryBudget } from "./call/retry/budget.js";
export type { HedgeOptions } from "./call/retry/hedge.js";
export { type RetryOptions, retry } from "./call/retry/retry.js";
export { type ThrottleOptions, throttle } from "./call/throttle.js";
export { defaultTimeout, timeout } from "./call/timeout.js";
export type { Connect, Connection, Endpoint, Endpointer } from "./endpoints/endpoint.js";
export { type EndpointerOptions, endpoints } from "./endpoints/endpointer.js";
export { type ApertureOptions, type AperturePeers, aperture, peersIn } from "./endpoints/subsets/aperture.js";
export { type RandomSubsetOptions, randomSubset } from "./endpoints/subsets/random-subset.js";
export type { Subset, SubsetEnvironment } from "./endpoints/subsets/subset.js";
export { subsetEndpoints } from "./endpoints/subsets/subset-endpoints.js";
export type { Outcome } from "./outcome.js";

// What a registry, layout, transport, strategy, metric or layer of one's own is built from.

export { type BackoffRange, equalJitter, fullJitter } from "./backoff.js";
export type { InFlight, Meter, Metric, Peers } from "./balancer/meter.js";
export { reluctance } from "./balancer/reluctance.js";
export type {
  Candidate,
  Distributor,
  PickContext,
  Picker,
  Strategy,
  StrategyEnvironment,
} from "./balancer/strategy.js";
export type { AttemptTicket, CallFollower, RunningAttempt } from "./call/call.js";
export { follow, followAnswer, isAccepted, isServersFault } from "./call/follow.js";
export { type Clock, sleep, systemClock, type Timer } from "./clock.js";
export type { Availability, ConnectionStatus, EndpointState } from "./endpoints/endpoint.js";
export { byId, sameInstance } from "./instance.js";
export { type Cell, cell } from "./live.js";
export { resolveLogger, silentLogger, stderrLogger } from "./logger.js";
export { type Random, seededRandom, systemRandom } from "./random.js";
export type { KeyValue, Layout } from "./registry/layouts/layout.js";
