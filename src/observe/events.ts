/**
 * What happens, for whoever listens: `node:diagnostics_channel` channels, free while nobody subscribes. Each message is a
 * plain object; docs/reference/events.md lists them.
 */
import { channel } from "node:diagnostics_channel";
import type { Membership } from "../instance.js";
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

const registrationChannel = channel("rollcall:registration");
const membershipChannel = channel("rollcall:membership");

export function publishRegistration(event: RegistrationEvent): void {
  if (registrationChannel.hasSubscribers) registrationChannel.publish(event);
}

export function publishMembership(event: MembershipEvent): void {
  if (membershipChannel.hasSubscribers) membershipChannel.publish(event);
}
