/**
 * The token that stands for user and password. Each `Authenticate` costs etcd a password hash (70 ms of a core at its default
 * cost) and a raft write, so one request serves all who wait, and its token serves until etcd refuses it.
 *
 * Why pauses: whoever is refused tries again, and four hundred watches of one process would ask as often as all of them
 * together. A refused password answers for those who come next, and a token that etcd did not take, although it had just been
 * given, is replaced after a pause that grows.
 */
import { type BackoffRange, fullJitter } from "../../../backoff.js";
import { type Clock, sleep } from "../../../clock.js";
import type { Random } from "../../../random.js";
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

export interface TokenSource {
  readonly clock: Clock;
  readonly random: Random;
  authenticate(): Promise<string>;
}

/**
 * Some versions of etcd say "permission denied" for an expired token (etcd issue 12385). A token younger than this has not
 * expired, so a denial is a denial, and a client that is not allowed does not authenticate on every call.
 */
const SURELY_VALID_MS = 10_000;
/** How long a refusal stands. The longest is what a password that was mended waits for. */
const REFUSAL: BackoffRange = { baseMs: 1_000, maxMs: 5_000 };
/** A token that was refused sooner than this was no good from the start. */
const USELESS_MS = 1_000;
/**
 * Between useless tokens; the first is replaced at once. They come with a user database that is being changed, which makes
 * tokens old as fast as they are got, and with members that do not share a key for JWT.
 */
const REPLACEMENT: BackoffRange = { baseMs: 50, maxMs: 2_000 };

/** For a client without user and password. */
export const noTokens: Tokens = {
  current: () => Promise.resolve(undefined),
  distrust: () => {},
  mayHelp: () => false,
};

export function tokens({ clock, random, authenticate }: TokenSource): Tokens {
  let held: { readonly token: Token; readonly atMs: number } | undefined;
  let pending: Promise<Token> | undefined;
  let refusal: { readonly error: EtcdError; readonly untilMs: number } | undefined;
  let refusals = 0;
  let useless = 0;

  const renew = async (): Promise<Token> => {
    try {
      if (useless > 1) await sleep(clock, fullJitter(REPLACEMENT, useless - 1, random));
      const token = await authenticate().catch((error: unknown) => {
        if (error instanceof EtcdError && saysAuthIsOff(error)) return undefined;
        throw error;
      });
      refusals = 0;
      held = { token, atMs: clock.nowMs() };
      return token;
    } catch (error) {
      if (error instanceof EtcdError && error.kind === "denied") {
        refusals += 1;
        refusal = { error, untilMs: clock.nowMs() + fullJitter(REFUSAL, refusals, random) };
      }
      throw error;
    } finally {
      pending = undefined;
    }
  };

  return {
    current(maxAgeMs = Number.POSITIVE_INFINITY) {
      if (held && clock.nowMs() - held.atMs <= maxAgeMs) return Promise.resolve(held.token);
      if (refusal && clock.nowMs() < refusal.untilMs) return Promise.reject(refusal.error);
      pending ??= renew();
      return pending;
    },
    distrust(token) {
      if (!held || held.token !== token) return;
      useless = clock.nowMs() - held.atMs < USELESS_MS ? useless + 1 : 0;
      held = undefined;
    },
    mayHelp(error, token) {
      if (!(error instanceof EtcdError)) return false;
      if (error.kind === "unauthenticated") return true;
      const ageMs = held?.token === token && held ? clock.nowMs() - held.atMs : Number.POSITIVE_INFINITY;
      return error.kind === "denied" && ageMs > SURELY_VALID_MS;
    },
  };
}
