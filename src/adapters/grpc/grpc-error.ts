import { Metadata, status } from "@grpc/grpc-js";

export type GrpcStatusName = keyof typeof status;

/** A failure with a gRPC status, for a handler to throw: the caller receives exactly this code, text and trailers. */
export class GrpcError extends Error {
  /** The gRPC status code, 1 to 16. */
  readonly code: number;
  /** The text that travels; `message` also names the code. */
  readonly details: string;
  /** Sent as trailers. */
  readonly metadata: Metadata;

  constructor(
    code: GrpcStatusName,
    details: string,
    options?: { readonly metadata?: Metadata; readonly cause?: unknown },
  ) {
    super(`${code}: ${details}`, options);
    this.name = "GrpcError";
    this.code = status[code];
    this.details = details;
    this.metadata = options?.metadata ?? new Metadata();
  }
}
