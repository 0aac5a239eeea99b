/** Keys and key ranges as etcd takes them: bytes, with an exclusive end. */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function keyBytes(key: string): Uint8Array {
  return encoder.encode(key);
}

export function keyText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Every key that begins with `prefix`. */
export function prefixRange(prefix: string): { readonly key: Uint8Array; readonly rangeEnd: Uint8Array } {
  const key = keyBytes(prefix);
  return { key, rangeEnd: afterPrefix(key) };
}

/** The least key after `key`. */
export function nextKey(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/** The least key that is greater than every key with this prefix. A UTF-8 prefix never ends in 0xff, so it can be raised. */
function afterPrefix(prefix: Uint8Array): Uint8Array {
  const end = prefix.slice();
  const last = end.length - 1;
  end[last] = (end[last] ?? 0) + 1;
  return end;
}
