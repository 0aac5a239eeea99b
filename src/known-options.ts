/** Refuses options that would have no effect: in plain JavaScript nothing else tells of a misspelt name. */
import { described } from "./check-kind.js";
import { RollcallError } from "./errors.js";

/** `taker` is who has the options, as `etcd()`; the table is complete, for the compiler holds it against the interface. */
export function refuseUnknownOptions<O extends object>(
  taker: string,
  options: O,
  known: Readonly<Record<keyof O, true>>,
): void {
  if (typeof options !== "object" || options === null) {
    throw new RollcallError("INVALID_ARGUMENT", `${taker} takes an object of options, not ${described(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) continue;
    throw new RollcallError(
      "INVALID_ARGUMENT",
      `${taker} has no option \`${name}\`; it has ${Object.keys(known).join(", ")}`,
    );
  }
}
