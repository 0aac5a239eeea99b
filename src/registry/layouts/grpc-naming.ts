/**
 * The JSON that etcd's `naming/endpoints` and grpc-go's old `naming` write: `{"Op":0,"Addr":"host:port","Metadata":…}`
 * (etcd client/v3/naming/endpoints/internal/update.go). Their resolvers read `Addr` and nothing else; what we know beyond
 * the address stands in `Metadata`, flat, under names of its own.
 */
import { RollcallError } from "../../errors.js";
import type { Instance, NewInstance } from "../../instance.js";
import { parseAddress, quoted } from "./address.js";

const ownNames = ["weight", "zone", "version", "protocol", "draining"] as const;

type Decoded = Omit<Instance, "id"> | { readonly skip: string };

/** Throws `INVALID_ARGUMENT` for a weight that is none, and for metadata under a name that an attribute has. */
export function encodeGrpcNaming(instance: NewInstance): string {
  const { address, metadata = {}, ...attributes } = instance;
  const clash = ownNames.find((name) => Object.hasOwn(metadata, name));
  if (clash) {
    throw new RollcallError(
      "INVALID_ARGUMENT",
      `metadata cannot be named "${clash}": give it as the instance's own ${clash}`,
    );
  }
  if (instance.weight !== undefined && !isWeight(instance.weight)) {
    throw new RollcallError("INVALID_ARGUMENT", `the weight ${instance.weight} is not a finite number above 0`);
  }
  // Sorted as Go writes a map, so that one content has one form.
  const all = Object.entries({ ...metadata, ...attributes }).filter(([, value]) => value !== undefined);
  const Metadata = Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)));
  return JSON.stringify({ Op: 0, Addr: address, Metadata });
}

/** Takes any order of fields, missing and unknown ones, and metadata of any JSON type. */
export function decodeGrpcNaming(text: string): Decoded {
  let update: unknown;
  try {
    update = JSON.parse(text);
  } catch {
    return { skip: `${quoted(text)} begins like JSON and is not` };
  }
  const { Addr, Metadata } = update as { readonly Addr?: unknown; readonly Metadata?: unknown }; // it begins with a brace
  if (typeof Addr !== "string") return { skip: 'JSON without an "Addr"' };
  const parsed = parseAddress(Addr);
  if ("fault" in parsed) return { skip: parsed.fault };

  const fields = isRecord(Metadata) ? Metadata : isAbsent(Metadata) ? {} : { metadata: Metadata };
  const { weight, zone, version, protocol, draining, ...others } = fields;
  const share = isAbsent(weight) || weight === "" ? undefined : Number(weight);
  if (share !== undefined && !isWeight(share)) {
    return { skip: `the weight ${quoted(textOf(weight))} is not a finite number above 0` };
  }
  const metadata = Object.entries(others).filter(([, value]) => !isAbsent(value));
  return {
    ...parsed,
    ...(share !== undefined && { weight: share }),
    ...(!isAbsent(zone) && { zone: textOf(zone) }),
    ...(!isAbsent(version) && { version: textOf(version) }),
    ...(!isAbsent(protocol) && { protocol: textOf(protocol) }),
    ...((draining === true || draining === "true") && { draining: true }),
    ...(metadata.length > 0 && {
      metadata: Object.fromEntries(metadata.map(([name, value]) => [name, textOf(value)])),
    }),
  };
}

function isWeight(value: number): boolean {
  return Number.isFinite(value) && value > 0;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
