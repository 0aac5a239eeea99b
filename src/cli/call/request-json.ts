/**
 * Holds a request against its message type. Why not leave that to the serializer: it drops fields it does not know and makes
 * 0 of text that is no number, and the caller would never learn that the server got something else.
 */
import type { AnyDefinition, PackageDefinition } from "@grpc/proto-loader";
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
  readonly options?: { readonly mapEntry?: boolean } | null;
}

interface EnumType {
  readonly value: readonly { readonly name: string; readonly number: number }[];
}

const integers = new Set(
  ["INT32", "INT64", "UINT32", "UINT64", "SINT32", "SINT64", "FIXED32", "FIXED64", "SFIXED32", "SFIXED64"].map(
    (name) => `TYPE_${name}`,
  ),
);

/** Reads the JSON of a request for the message `type`. Throws a `UsageError` that names the field at fault. */
export function requestFromJson(text: string, type: string, types: PackageDefinition): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(
      `the request is not JSON (${error instanceof Error ? error.message : error}): quote it in '…'`,
    );
  }
  checkMessage(value, type, types, "the request");
  return value as object; // checkMessage() takes nothing else
}

function checkMessage(value: unknown, type: string, types: PackageDefinition, where: string): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(where, "a JSON object", value);
  const fields = messageType(types[type])?.field ?? [];
  for (const [name, content] of Object.entries(value)) {
    const field = fields.find((each) => each.name === name);
    if (field === undefined) {
      const names = fields.map((each) => each.name).join(", ");
      throw new UsageError(`${where} has no field "${name}" in ${type}: its fields are ${names || "none"}`);
    }
    if (content !== null) checkField(content, field, type, types, `field "${name}" of ${type}`);
  }
}

function checkField(content: unknown, field: Field, type: string, types: PackageDefinition, where: string): void {
  const target = resolveType(field.typeName, type, types);
  const entry = target === undefined ? undefined : messageType(types[target]);
  if (field.label !== "LABEL_REPEATED") {
    checkValue(content, field, target, types, where);
  } else if (entry?.options?.mapEntry) {
    if (typeof content !== "object" || Array.isArray(content))
      throw wrong(where, "an object with the map's keys", content);
    const valueField = entry.field.find(({ name }) => name === "value");
    for (const each of Object.values(content ?? {})) {
      if (valueField && target) checkField(each, valueField, target, types, where);
    }
  } else {
    if (!Array.isArray(content)) throw wrong(where, "an array", content);
    for (const each of content) checkValue(each, field, target, types, where);
  }
}

function checkValue(
  value: unknown,
  field: Field,
  target: string | undefined,
  types: PackageDefinition,
  where: string,
): void {
  if (field.type === "TYPE_MESSAGE") {
    if (target !== undefined) checkMessage(value, target, types, where);
  } else if (integers.has(field.type)) {
    const whole = typeof value === "string" ? /^-?\d+$/.test(value) : Number.isSafeInteger(value);
    if (!whole) throw wrong(where, 'a whole number (beyond 2^53 as text, "9007199254740993")', value);
  } else if (field.type === "TYPE_STRING" || field.type === "TYPE_BYTES") {
    if (typeof value !== "string") throw wrong(where, field.type === "TYPE_STRING" ? "text" : "base64 text", value);
  } else if (field.type === "TYPE_ENUM") {
    const names = target === undefined ? [] : enumNames(types[target]);
    if (!Number.isInteger(value) && !names.includes(String(value))) throw wrong(where, names.join(" or "), value);
  } else if (field.type === "TYPE_BOOL") {
    if (typeof value !== "boolean") throw wrong(where, "true or false", value);
  } else if (field.type === "TYPE_DOUBLE" || field.type === "TYPE_FLOAT") {
    if (typeof value !== "number") throw wrong(where, "a number", value);
  }
}

/** A name as protoc resolves it: from the innermost scope outwards. */
function resolveType(name: string, scope: string, types: PackageDefinition): string | undefined {
  if (name === "") return undefined;
  if (name.startsWith(".")) return name.slice(1);
  const parts = scope.split(".");
  for (let depth = parts.length; depth >= 0; depth -= 1) {
    const candidate = [...parts.slice(0, depth), name].join(".");
    if (Object.hasOwn(types, candidate)) return candidate;
  }
  return undefined;
}

function messageType(definition: AnyDefinition | undefined): MessageType | undefined {
  return definition !== undefined && "format" in definition && "field" in definition.type
    ? (definition.type as MessageType) // a DescriptorProto, by its list of fields
    : undefined;
}

function enumNames(definition: AnyDefinition | undefined): string[] {
  return definition !== undefined && "format" in definition && "value" in definition.type
    ? (definition.type as EnumType).value.map(({ name }) => name) // an EnumDescriptorProto, by its list of values
    : [];
}

function wrong(where: string, expected: string, value: unknown): UsageError {
  return new UsageError(`${where} must be ${expected}, not ${JSON.stringify(value)}`);
}
