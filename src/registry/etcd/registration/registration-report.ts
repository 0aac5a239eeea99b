/** The lines about a registration that an operator reads: one for each change of its state. */
import type { Logger } from "../../../logger.js";
import type { RegistrationStatus } from "../../registry.js";

/**
 * A change for the worse, and the way back from it, is a warning: whoever read the first must not miss the second. So is
 * another reason for being lost, such as a permission that is missing now: somebody may have to act.
 */
export function reportStatus(
  logger: Logger,
  name: string,
  before: RegistrationStatus | undefined,
  after: RegistrationStatus,
): void {
  const isNews = after.state !== before?.state || after.by !== before.by;
  if (!isNews && after.state !== "lost") return;
  const why = after.reason === undefined ? "" : `: ${after.reason}`;
  const wasAway = before?.state === "lost" || before?.state === "superseded";
  if (!isNews) logger.warn(`${name} is not registered again yet${why}; trying again`);
  else if (after.state === "lost") logger.warn(`${name} is lost${why}; it is being registered again`);
  else if (after.state === "superseded") logger.warn(`${name} is superseded${why}; it waits for the key`);
  else if (after.state === "registered" && wasAway) logger.warn(`${name} is registered again`);
  else if (after.state === "closed" && why) logger.warn(`${name} is closed${why}`);
  else logger.info(`${name} is ${after.state}${why}`);
}

export function sameStatus(a: RegistrationStatus, b: RegistrationStatus): boolean {
  return a.state === b.state && a.reason === b.reason && a.by === b.by;
}
