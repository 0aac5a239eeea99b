/** Metadata as people write it, as grpc-js wants it. */
import { InterceptingCall, type Interceptor, Metadata } from "@grpc/grpc-js";

/**
 * Keys with their values. Keys are case-insensitive; a key ending in `-bin` takes bytes, any other a string. Values are
 * sent as they are: encoding `-bin` for the wire is the transport's job.
 */
export type MetadataInput = Metadata | Readonly<Record<string, MetadataValues>>;

export type MetadataValues = string | Uint8Array | readonly (string | Uint8Array)[];

/** A fresh `Metadata` with the values of both: where a key is in both, it keeps all of them. */
export function mergeMetadata(base: Metadata | undefined, more: MetadataInput | undefined): Metadata {
  const merged = base ? base.clone() : new Metadata();
  if (more === undefined) return merged;
  if (more instanceof Metadata) merged.merge(more);
  else for (const [key, values] of Object.entries(more)) addAll(merged, key, values);
  return merged;
}

/** Adds `more` to every call. */
export function metadataInterceptor(more: MetadataInput): Interceptor {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start: (metadata, listener, next) => next(mergeMetadata(metadata, more), listener),
    });
}

function addAll(metadata: Metadata, key: string, values: MetadataValues): void {
  for (const value of typeof values === "string" || values instanceof Uint8Array ? [values] : values) {
    metadata.add(key, typeof value === "string" ? value : asBuffer(value));
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
