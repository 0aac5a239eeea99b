import type { Candidate } from "../strategy.js";

/** What the strategies that hash have in common. */
export interface HashingOptions {
  /**
   * The entry of an instance's metadata that is hashed in place of its address, such as the name of its pod in a stateful set;
   * an instance without it is hashed by its address, which is the default. With it, keys stay where they are when a roll-out
   * gives every instance another address. (gRPC: `hash_key`, gRFC A76; Envoy: `hash_key`.)
   */
  readonly identity?: string | undefined;
}

export function identityOf({ address, metadata }: Candidate, identity: string | undefined): string {
  if (identity === undefined || metadata === undefined || !Object.hasOwn(metadata, identity)) return address;
  return metadata[identity] || address;
}
