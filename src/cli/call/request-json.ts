/**
 * Holds a request against its message type. Why not leave that to the serializer: it drops fields it does not know and makes
 * 0 of text that is no number, and the caller would never learn that the server got something else.
 */
import type { PackageDefinition } from "@grpc/proto-loader";
import { UsageError } from "../usage-error.js";

/** What is read of a message's descriptor. */
interface Field {
  readonly name: string;
  readonly type: string;
  readonly label: string;
  /** Of messages and enums, as written in the file: relative to the message, or full. */
  readonly typeName: string;
}

interface MessageType {
  readonly field: readonly Field[];
  readonly nestedType: readonly (MessageType & { readonly name: string })[];
  readonly enumType: readonly (EnumType & { readonly name: string })[];
  readonly options?: { readonly mapEntry?: boolean } | null;
}

interface EnumType {
  readonly value: readonly { readonly name: string; readonly number: number }[];
}

/** By full name, those inside messages included. */
type Types = ReadonlyMap<string, MessageType | EnumType>;

const signed = (bits: number) => ({ min: -(2n ** BigInt(bits - 1)), max: 2n ** BigInt(bits - 1) - 1n });
const unsigned = (bits: number) => ({ min: 0n, max: 2n ** BigInt(bits) - 1n });

const integers: Readonly<Record<string, { readonly min: bigint; readonly max: bigint }>> = {
  TYPE_INT32: signed(32),
  TYPE_SINT32: signed(32),
  TYPE_SFIXED32: signed(32),
  TYPE_UINT32: unsigned(32),
  TYPE_FIXED32: unsigned(32),
  TYPE_INT64: signed(64),
  TYPE_SINT64: signed(64),
  TYPE_SFIXED64: signed(64),
  TYPE_UINT64: unsigned(64),
  TYPE_FIXED64: unsigned(64),
};

/** Reads the JSON of a request for the message `type`. Throws a `UsageError` that names the field at fault. */
export function requestFromJson(text: string, type: string, definitions: PackageDefinition): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(
      `the request is not JSON (${error instanceof Error ? error.message : error}): quote it in '…'`,
    );
  }
  checkMessage(value, type, new Map(typesOf(definitions)), "the request");
  return value as object; // checkMessage() takes nothing else
}

function checkMessage(value: unknown, type: string, types: Types, where: string): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(where, "a JSON object", value);
  const fields = messageType(type, types)?.field ?? [];
  for (const [name, content] of Object.entries(value)) {
    const field = fields.find((each) => each.name === name);
    if (field === undefined) {
      const names = fields.map((each) => each.name).join(", ");
      throw new UsageError(`${where} has no field "${name}" in ${type}: its fields are ${names || "none"}`);
    }
    if (content !== null) checkField(content, field, type, types, `field "${name}" of ${type}`);
  }
}

function checkField(content: unknown, field: Field, type: string, types: Types, where: string): void {
  const target = resolveType(field.typeName, type, types);
  const entry = target === undefined ? undefined : messageType(target, types);
  if (field.label !== "LABEL_REPEATED") {
    checkValue(content, field, target, types, where);
  } else if (entry?.options?.mapEntry) {
    if (typeof content !== "object" || content === null || Array.isArray(content))
      throw wrong(where, "an object with the map's keys", content);
    const valueField = entry.field.find(({ name }) => name === "value");
    for (const each of Object.values(content)) {
      if (valueField && target) checkField(each, valueField, target, types, where);
    }
  } else {
    if (!Array.isArray(content)) throw wrong(where, "an array", content);
    for (const each of content) checkValue(each, field, target, types, where);
  }
}

function checkValue(value: unknown, field: Field, target: string | undefined, types: Types, where: string): void {
  const range = integers[field.type];
  if (field.type === "TYPE_MESSAGE") {
    if (target !== undefined) checkMessage(value, target, types, where);
  } else if (range !== undefined) {
    const whole = typeof value === "string" ? /^-?\d+$/.test(value) : Number.isSafeInteger(value);
    if (!whole) throw wrong(where, 'a whole number (beyond 2^53 as text, "9007199254740993")', value);
    const exact = BigInt(value as string | number); // just seen to be one of these
    if (exact < range.min || exact > range.max) throw wrong(where, `from ${range.min} to ${range.max}`, value);
  } else if (field.type === "TYPE_STRING" || field.type === "TYPE_BYTES") {
    if (typeof value !== "string") throw wrong(where, field.type === "TYPE_STRING" ? "text" : "base64 text", value);
  } else if (field.type === "TYPE_ENUM") {
    const names = target === undefined ? [] : enumNames(target, types);
    if (!Number.isInteger(value) && !names.includes(String(value))) throw wrong(where, names.join(" or "), value);
  } else if (field.type === "TYPE_BOOL") {
    if (typeof value !== "boolean") throw wrong(where, "true or false", value);
  } else if (field.type === "TYPE_DOUBLE" || field.type === "TYPE_FLOAT") {
    if (typeof value !== "number") throw wrong(where, "a number", value);
  }
}

/** A name as protoc resolves it: from the innermost scope outwards. */
function resolveType(name: string, scope: string, types: Types): string | undefined {
  if (name === "") return undefined;
  if (name.startsWith(".")) return name.slice(1);
  const parts = scope.split(".");
  for (let depth = parts.length; depth >= 0; depth -= 1) {
    const candidate = [...parts.slice(0, depth), name].join(".");
    if (types.has(candidate)) return candidate;
  }
  return undefined;
}

/** proto-loader lists what stands at the top of a file; the rest is inside. */
function* typesOf(definitions: PackageDefinition): Generator<[string, MessageType | EnumType]> {
  for (const [name, definition] of Object.entries(definitions)) {
    // Descriptors of messages and of enums are what has a format; the others are services.
    if ("format" in definition) yield* withNested(name, definition.type as MessageType | EnumType);
  }
}

function* withNested(name: string, type: MessageType | EnumType): Generator<[string, MessageType | EnumType]> {
  yield [name, type];
  if (!("field" in type)) return;
  for (const each of [...type.nestedType, ...type.enumType]) yield* withNested(`${name}.${each.name}`, each);
}

function messageType(name: string, types: Types): MessageType | undefined {
  const type = types.get(name);
  return type !== undefined && "field" in type ? type : undefined;
}

function enumNames(name: string, types: Types): string[] {
  const type = types.get(name);
  return type !== undefined && "value" in type ? type.value.map((each) => each.name) : [];
}

function wrong(where: string, expected: string, value: unknown): UsageError {
  return new UsageError(`${where} must be ${expected}, not ${JSON.stringify(value)}`);
}
