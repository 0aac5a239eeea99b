/**
 * A key goes from one server's lease to another's only when the other has just been started: its first claim takes the key
 * over, so that a restart need not wait for the dead one's lease. Whoever was registered before waits until the key is free.
 */
import type { Intent, Life } from "../recording.js";
import { signatureOf } from "../truth.js";
import type { Check, Violation } from "./check.js";

export const ownership: Check = ({ lives, intents }) =>
  lives.flatMap((life, index) => {
    const owners = new Map<string, { readonly lease: bigint; readonly writer: string | undefined }>();
    return life.events.flatMap(({ key, value, lease, modRevision, atMs }): Violation[] => {
      const before = owners.get(key);
      // Whatever else is written under a lease, it is of whoever wrote under it first.
      if (value !== undefined && lease !== 0n && lease === before?.lease) return [];
      const { writer } = signatureOf(value ?? "");
      owners.set(key, { lease, writer });
      if (lease === 0n || !before || before.lease === 0n) return [];
      if (writer !== undefined && writer === before.writer) return [];
      const intent = intents.find((each) => each.writer === writer);
      if (intent && isFirstClaim(intent, modRevision, index, lives)) return [];
      const who = `${writer ?? "nobody known"} (lease ${lease.toString(16)})`;
      const what = `${who} took ${key} from lease ${before.lease.toString(16)} at revision ${modRevision}`;
      return [{ check: "ownership", atMs, what: `${what}, after it had been registered` }];
    });
  });

/** Whether `register()` had not returned by then. */
function isFirstClaim({ registered }: Intent, revision: bigint, life: number, lives: readonly Life[]): boolean {
  if (!registered) return true;
  const returnedIn = lives.findLastIndex(({ sinceMs }) => sinceMs <= registered.atMs);
  return life === returnedIn ? revision <= registered.revision : life < returnedIn;
}
