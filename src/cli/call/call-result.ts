/** One call as the command line reports it. */
import { status } from "@grpc/grpc-js";
import { CallError, RollcallError } from "../../index.js";

export type CallResult =
  | {
      readonly ok: true;
      readonly address: string;
      readonly attempts: number;
      readonly ms: number;
      readonly reply: object;
    }
  | {
      readonly ok: false;
      readonly code: string;
      readonly message: string;
      /** Where the last attempt was made; absent when there was none. */
      readonly address?: string;
      readonly attempts: number;
      readonly ms: number;
    };

/**
 * `code` is the name of the gRPC status that the last attempt ended with, where there was one, else rollcall's own. What
 * ended the whole call, its deadline or the caller, comes first; both are names of gRPC too.
 */
export function failure(error: unknown, ms: number): CallResult {
  const message = (error instanceof Error ? error.message : String(error)).replaceAll(/\s*\n\s*/g, " ");
  const attempts = error instanceof CallError ? error.attempts : [];
  const address = attempts.at(-1)?.instance;
  const at = address === undefined ? {} : { address };
  return { ok: false, code: codeOf(error), message, ...at, attempts: attempts.length, ms };
}

function codeOf(error: unknown): string {
  const own = error instanceof RollcallError ? error.code : undefined;
  if (own === "DEADLINE_EXCEEDED" || own === "CANCELLED") return own;
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { readonly code?: unknown };
    const name = typeof code === "number" ? status[code] : undefined;
    if (name !== undefined) return name;
  }
  return own ?? "UNKNOWN";
}
