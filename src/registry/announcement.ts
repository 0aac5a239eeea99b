/** What every registry refuses before anything is written: names and instances that no reader could use. */
import { RollcallError } from "../errors.js";
import { isWildcard } from "../host-port.js";
import type { NewInstance } from "../instance.js";
import { parseAddress, quoted } from "./layouts/address.js";

/** Throws `INVALID_ARGUMENT` unless `service` can name a service. */
export function checkService(service: string): void {
  if (typeof service !== "string" || service === "") throw invalid("a service needs a name");
  if (/[/\s\p{Cc}]/u.test(service)) {
    throw invalid(`${quoted(service)} cannot name a service: it holds a "/", a blank or a control character`);
  }
}

/** Throws `INVALID_ARGUMENT` unless others could reach `instance` and make sense of what it says of itself. */
export function checkNewInstance({ address, weight, zone, version, metadata = {} }: NewInstance): void {
  checkAddress(address);
  if (weight !== undefined && !(Number.isFinite(weight) && weight > 0)) {
    throw invalid(`the weight ${weight} is not a number above 0; to take no new calls, close the registration`);
  }
  for (const [name, value] of Object.entries({ zone, version, ...metadata })) {
    if (value !== undefined && typeof value !== "string")
      throw invalid(`${quoted(name)} is not text: ${String(value)}`);
  }
}

function checkAddress(address: string): void {
  const parsed = parseAddress(address);
  if ("fault" in parsed) throw invalid(`the address cannot be used: ${parsed.fault}`);
  if (parsed.protocol !== undefined)
    throw invalid(`the address ${quoted(address)} has a scheme: give it as \`protocol\``);
  if (isWildcard(address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, ""))) {
    throw invalid(
      `${quoted(address)} is where a server listens, not where others reach it: register an address of this host`,
    );
  }
}

function invalid(message: string): RollcallError {
  return new RollcallError("INVALID_ARGUMENT", message);
}
