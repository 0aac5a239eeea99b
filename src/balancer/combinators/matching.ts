import { RollcallError } from "../../errors.js";
import type { Candidate } from "../strategy.js";

/** What a candidate has to say of itself, all of it, or a function that tells. */
export type Matching =
  | {
      readonly version?: string | undefined;
      readonly zone?: string | undefined;
      readonly metadata?: Readonly<Record<string, string>> | undefined;
    }
  | ((candidate: Candidate) => boolean);

const KNOWN = ["version", "zone", "metadata"];

/** `taker` is who was given `matching`, as `filter()`. */
export function matcher(taker: string, matching: Matching): (candidate: Candidate) => boolean {
  if (typeof matching === "function") return matching;
  const names = typeof matching === "object" && matching !== null ? Object.keys(matching) : [];
  if (names.length === 0 || names.some((name) => !KNOWN.includes(name))) {
    const has = `a function, or an object with ${KNOWN.join(", ")}`;
    throw new RollcallError(
      "INVALID_ARGUMENT",
      `what ${taker} matches has to be ${has}, not ${JSON.stringify(matching)}`,
    );
  }
  const { version, zone, metadata = {} } = matching;
  const entries = Object.entries(metadata);
  for (const [name, value] of [...entries, ["version", version ?? ""], ["zone", zone ?? ""]] as const) {
    if (typeof value === "string") continue;
    throw new RollcallError(
      "INVALID_ARGUMENT",
      `${taker} compares texts, so ${name} has to be one: write "${String(value)}"`,
    );
  }
  return (candidate) =>
    (version === undefined || candidate.version === version) &&
    (zone === undefined || candidate.zone === zone) &&
    entries.every(([name, value]) => candidate.metadata?.[name] === value);
}
