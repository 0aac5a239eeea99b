/**
 * How instances are written as keys and values. A layout is a pure codec: it knows no connection and no lease but the id
 * it is told.
 */
import type { Instance, NewInstance } from "../../instance.js";

export interface KeyValue {
  readonly key: string;
  readonly value: Uint8Array;
}

export interface Layout {
  readonly name: string;
  /** The prefix of every key of `service`, ending in a delimiter, so that `book` never meets `bookstore`. */
  prefix(service: string): string;
  /** Everything that announces `instance`: written, updated and removed in one transaction, the instance's id first. */
  encode(service: string, instance: NewInstance, leaseId: bigint): readonly KeyValue[];
  /** What an operator should know of how `instance` is written, in a sentence without its subject; a registration says it once. */
  caution?(instance: NewInstance): string | undefined;
  /** The instances of one entry, or why it is skipped. Never throws. */
  decode(key: string, value: Uint8Array): readonly Instance[] | { readonly skip: string };
}
