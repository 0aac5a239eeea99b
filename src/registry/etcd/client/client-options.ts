/** What the etcd client can be told, checked once. */
import { type Clock, systemClock } from "../../../clock.js";
import { RollcallError } from "../../../errors.js";
import { type Logger, resolveLogger } from "../../../logger.js";
import { type Random, systemRandom } from "../../../random.js";
import type { ConnectionSettings } from "./connection.js";
import { parseEndpoints } from "./endpoint-list.js";
import { type Login, login } from "./login.js";
import { channelSecurity, type EtcdTlsOptions } from "./tls.js";

export interface EtcdClientOptions {
  /** The members: `host:port`, or `http(s)://host:port`. `https://` turns TLS on for all of them. */
  readonly endpoints: readonly string[];
  /** `true` trusts the system's authorities; default: plain text. */
  readonly tls?: true | EtcdTlsOptions;
  /** With `password`, where etcd runs with authentication. */
  readonly user?: string;
  /**
   * The password of `user`. A function is asked each time a token is needed, so that a password that was changed, in a mounted
   * secret or a vault, is taken up without a restart; one that takes longer than `timeoutMs` is taken to have failed.
   */
  readonly password?: string | (() => string | Promise<string>);
  /** How long one connection may take to be made; default 3,000 ms. */
  readonly dialTimeoutMs?: number;
  /** Between HTTP/2 pings while calls are open (gRPC's keepalive time); default 10,000 ms, at least 5,000. */
  readonly keepAliveMs?: number;
  /** Of a unary call, over all members; default 5,000 ms. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Default: warnings to stderr; `false` for silence. */
  readonly logger?: Logger | false;
}

const DEFAULTS = { dialTimeoutMs: 3_000, keepAliveMs: 10_000, timeoutMs: 5_000 };

/** etcd's `--grpc-keepalive-min-time`. */
const LEAST_KEEP_ALIVE_MS = 5_000;

export interface ClientPlan {
  readonly targets: readonly string[];
  readonly connection: ConnectionSettings;
  readonly login: Login | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Throws `INVALID_ARGUMENT` for what cannot be used, with the remedy. */
export function planClient(options: EtcdClientOptions): ClientPlan {
  const dialTimeoutMs = duration("dialTimeoutMs", options.dialTimeoutMs ?? DEFAULTS.dialTimeoutMs);
  const keepAliveMs = duration("keepAliveMs", options.keepAliveMs ?? DEFAULTS.keepAliveMs);
  if (keepAliveMs < LEAST_KEEP_ALIVE_MS) {
    throw invalid(
      `\`keepAliveMs\` is ${keepAliveMs}, less than the 5000 ms that etcd allows (--grpc-keepalive-min-time): it closes a ` +
        "connection that pings more often (GOAWAY ENHANCE_YOUR_CALM, too_many_pings); a hung member is noticed sooner without it",
    );
  }
  const { targets, secure } = parseEndpoints(options.endpoints, options.tls !== undefined);
  const tls = options.tls ?? (secure || undefined);
  const clock = options.clock ?? systemClock;
  const logger = resolveLogger(options.logger);
  const timeoutMs = duration("timeoutMs", options.timeoutMs ?? DEFAULTS.timeoutMs);
  return {
    targets,
    connection: { security: channelSecurity(tls, logger), dialTimeoutMs, keepAliveMs, clock },
    login: login(options.user, options.password, { clock, timeoutMs }),
    timeoutMs,
    clock,
    random: options.random ?? systemRandom,
    logger,
  };
}

function duration(name: string, valueMs: number): number {
  if (Number.isFinite(valueMs) && valueMs > 0) return valueMs;
  throw invalid(`\`${name}\` is ${valueMs}: give milliseconds, more than 0`);
}

function invalid(message: string): RollcallError {
  return new RollcallError("INVALID_ARGUMENT", message);
}
