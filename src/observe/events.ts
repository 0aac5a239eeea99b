/**
 * What happens, for whoever listens: `node:diagnostics_channel` channels, free while nobody subscribes. Each message is a
 * plain object; docs/reference/events.md lists them.
 */
import { channel } from "node:diagnostics_channel";
import type { Instance, Membership } from "../instance.js";
import type { RegistrationStatus } from "../registry/registry.js";

/** A registration changed its state. */
export interface RegistrationEvent {
  readonly service: string;
  readonly id: string;
  readonly status: RegistrationStatus;
}

/** A view of a service was published. */
export interface MembershipEvent {
  readonly service: string;
  readonly membership: Membership;
}

/** The brake on mass deletion engaged on a view, or let go of the last retained instance. */
export interface MassDeletionEvent {
  readonly service: string;
  readonly state: "engaged" | "released";
  /** Who is retained now. */
  readonly retained: readonly Instance[];
  /** How many were let go because the grace time was over; the others were registered again. */
  readonly lapsed: number;
}

/** A balancer ejected an endpoint, or trusts it again. */
export interface EjectionEvent {
  readonly service?: string | undefined;
  readonly address: string;
  readonly state: "ejected" | "returned";
  /** Why it was ejected; absent when it returned. */
  readonly reason?: string | undefined;
  /** For how long it was ejected, until a call probes it; absent when it returned. */
  readonly forMs?: number | undefined;
  /** How many are ejected now. */
  readonly ejected: number;
  /** How many endpoints there are, ejected or not. */
  readonly total: number;
}

/** So few endpoints are usable that a balancer ignores its ejections, or enough again. */
export interface PanicEvent {
  readonly service?: string | undefined;
  readonly state: "entered" | "left";
  /** How many endpoints are ready and not ejected. */
  readonly usable: number;
  readonly total: number;
}

/** A circuit breaker changed its state. */
export interface CircuitBreakerEvent {
  readonly name: string;
  readonly state: "closed" | "open" | "half-open";
  /** Why it opened. */
  readonly reason?: string;
}

const registrationChannel = channel("rollcall:registration");
const membershipChannel = channel("rollcall:membership");
const massDeletionChannel = channel("rollcall:mass-deletion");
const circuitBreakerChannel = channel("rollcall:circuit-breaker");
const ejectionChannel = channel("rollcall:ejection");
const panicChannel = channel("rollcall:panic");

export function publishRegistration(event: RegistrationEvent): void {
  if (registrationChannel.hasSubscribers) registrationChannel.publish(event);
}

export function publishMembership(event: MembershipEvent): void {
  if (membershipChannel.hasSubscribers) membershipChannel.publish(event);
}

export function publishMassDeletion(event: MassDeletionEvent): void {
  if (massDeletionChannel.hasSubscribers) massDeletionChannel.publish(event);
}

export function publishEjection(event: EjectionEvent): void {
  if (ejectionChannel.hasSubscribers) ejectionChannel.publish(event);
}

export function publishPanic(event: PanicEvent): void {
  if (panicChannel.hasSubscribers) panicChannel.publish(event);
}

export function publishCircuitBreaker(event: CircuitBreakerEvent): void {
  if (circuitBreakerChannel.hasSubscribers) circuitBreakerChannel.publish(event);
}
