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

const registrationChannel = channel("rollcall:registration");
const membershipChannel = channel("rollcall:membership");
const massDeletionChannel = channel("rollcall:mass-deletion");

export function publishRegistration(event: RegistrationEvent): void {
  if (registrationChannel.hasSubscribers) registrationChannel.publish(event);
}

export function publishMembership(event: MembershipEvent): void {
  if (membershipChannel.hasSubscribers) membershipChannel.publish(event);
}

export function publishMassDeletion(event: MassDeletionEvent): void {
  if (massDeletionChannel.hasSubscribers) massDeletionChannel.publish(event);
}
