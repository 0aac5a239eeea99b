/**
 * The token that stands for user and password. Each `Authenticate` costs etcd a password hash and a raft write, so one
 * request serves all who wait, and its token serves until etcd refuses it.
 */
import type { Clock } from "../../../clock.js";
import { EtcdError, saysAuthIsOff } from "./etcd-error.js";

/** Undefined when etcd runs without authentication. */
export type Token = string | undefined;

export interface Tokens {
  /** The token to use; `maxAgeMs` asks for a new one when it is older. Rejects when etcd refuses the user. */
  current(maxAgeMs?: number): Promise<Token>;
  /** etcd refused `token`: the next `current()` gets a new one. Whoever comes late, with a token already replaced, changes nothing. */
  distrust(token: Token): void;
  /** Whether a new token may help against this refusal of `token`. */
  mayHelp(error: unknown, token: Token): boolean;
}

/**
 * Some versions of etcd say "permission denied" for an expired token (etcd issue 12385). A token younger than this has not
 * expired, so a denial is a denial, and a client that is not allowed does not authenticate on every call.
 */
const SURELY_VALID_MS = 10_000;

/** For a client without user and password. */
export const noTokens: Tokens = {
  current: () => Promise.resolve(undefined),
  distrust: () => {},
  mayHelp: () => false,
};

export function tokens(clock: Clock, authenticate: () => Promise<string>): Tokens {
  let held: { readonly token: Token; readonly atMs: number } | undefined;
  let pending: Promise<Token> | undefined;

  const renew = async (): Promise<Token> => {
    try {
      const token = await authenticate().catch((error: unknown) => {
        if (error instanceof EtcdError && saysAuthIsOff(error)) return undefined;
        throw error;
      });
      held = { token, atMs: clock.nowMs() };
      return token;
    } finally {
      pending = undefined;
    }
  };

  return {
    current(maxAgeMs = Number.POSITIVE_INFINITY) {
      if (held && clock.nowMs() - held.atMs <= maxAgeMs) return Promise.resolve(held.token);
      pending ??= renew();
      return pending;
    },
    distrust(token) {
      if (held?.token === token) held = undefined;
    },
    mayHelp(error, token) {
      if (!(error instanceof EtcdError)) return false;
      if (error.kind === "unauthenticated") return true;
      const ageMs = held?.token === token && held ? clock.nowMs() - held.atMs : Number.POSITIVE_INFINITY;
      return error.kind === "denied" && ageMs > SURELY_VALID_MS;
    },
  };
}
