/** A service of many instances, each a key with a value of 100 bytes that says where it runs. */
import type { Putter } from "./putter.js";

export const VALUE_BYTES = 100;
const AT_ONCE = 64;

export function keyAt(service: string, n: number): string {
  return `/services/${service}/${address(n)}`;
}

/** The JSON that an instance with attributes has in the default layout; `release` makes two of them differ. */
export function valueAt(n: number, release = 1): string {
  const bare = valueWith(n, { release: String(release), note: "" });
  const note = "x".repeat(VALUE_BYTES - bare.length);
  return valueWith(n, { release: String(release), note });
}

export async function fill(writer: Putter, service: string, size: number): Promise<void> {
  for (let first = 0; first < size; first += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, size - first) }, (_, index) => first + index);
    await Promise.all(some.map((n) => writer.put(keyAt(service, n), valueAt(n))));
  }
}

function valueWith(n: number, metadata: Readonly<Record<string, string>>): string {
  return JSON.stringify({ Op: 0, Addr: address(n), Metadata: metadata });
}

function address(n: number): string {
  return `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}:50051`;
}
