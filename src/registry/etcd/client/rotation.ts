/**
 * Takes up changed certificates while a client runs: what they secure from now on are new connections, and those that stand
 * are replaced by such.
 *
 * Why replace connections that work: whoever rotates a key that leaked wants it out of use, a user that etcd knows by its
 * certificate becomes another only on a new connection, and a mistake shows while the old certificate is still good. So a new
 * connection is made before the old one is left, and one that etcd does not take changes nothing.
 */
import type { Clock, Timer } from "../../../clock.js";
import { toError } from "../../../errors.js";
import type { Logger } from "../../../logger.js";
import type { Random } from "../../../random.js";
import type { Member } from "./member.js";
import type { Security } from "./tls.js";

/**
 * Reading three small files is nothing; and what writes them, the kubelet above all, takes up to a minute. Up to a quarter is
 * left out at random, so that the clients of one secret do not connect in step.
 */
const LOOK_EVERY_MS = 10_000;

export interface Rotation {
  readonly security: Security;
  readonly members: readonly Member[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Looks from now on, until it is disposed. */
export function followRotation({ security, members, clock, random, logger }: Rotation): Disposable {
  let timer: Timer | undefined;
  let disposed = false;
  /** The version that each member's refusal was told of. */
  const told = new Map<Member, number>();

  const refused = (member: Member, version: number, error: unknown) => {
    if (disposed || told.get(member) === version) return;
    told.set(member, version);
    const reason = toError(error).message;
    logger.warn(`no connection with the changed certificates: ${reason}; the one that stands stays in use`);
  };
  const look = () => {
    security.refresh();
    const { version } = security;
    for (const member of members) member.renew(version, (error) => refused(member, version, error));
    lookLater();
  };
  const lookLater = () => {
    timer = clock.after(LOOK_EVERY_MS * (1 - random() / 4), look);
  };

  if (security.changes) lookLater();
  return {
    [Symbol.dispose]() {
      disposed = true;
      timer?.cancel();
    },
  };
}
