/** What befalls the service while calls are made, as lines with the seconds since the start. */
import type { Logger, Membership } from "../../index.js";

export interface Incidents {
  /** For the client, which tells of ejections. */
  readonly logger: Logger;
  /** To be told each view. The first is where all begins, and no change. */
  viewed(membership: Membership): void;
}

export function incidents(write: (line: string) => void, elapsedMs: () => number): Incidents {
  let before: ReadonlySet<string> | undefined;
  const tell = (text: string) => write(`${(elapsedMs() / 1_000).toFixed(1)} s  ${text}`);
  return {
    logger: { warn: tell, info: () => {} },
    viewed(membership) {
      if (membership.state === "pending") return;
      const now = new Set(membership.instances.map(({ address }) => address));
      const known = before ?? now;
      before = now;
      const came = [...now].filter((address) => !known.has(address)).map((address) => `+${address}`);
      const left = [...known].filter((address) => !now.has(address)).map((address) => `-${address}`);
      if (came.length + left.length > 0) tell(`view: ${[...came, ...left].join(" ")}, ${now.size} present`);
    },
  };
}
