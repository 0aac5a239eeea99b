/** Puts the parts of the etcd registry together: one client, one stream for all leases, one watch per service. */
import { systemClock } from "../../clock.js";
import { RollcallError } from "../../errors.js";
import { refuseUnknownOptions } from "../../known-options.js";
import { resolveLogger } from "../../logger.js";
import { systemRandom } from "../../random.js";
import { checkService } from "../announcement.js";
import { goKitLayout } from "../layouts/go-kit.js";
import type { Layout } from "../layouts/layout.js";
import { type MassDeletionBrakeOptions, massDeletionRule } from "../mass-deletion.js";
import type { Registry } from "../registry.js";
import { type EtcdClientOptions, etcdClient } from "./client/client.js";
import { parseEndpoints } from "./client/endpoint-list.js";
import { LeaseKeeper } from "./registration/lease-keeper.js";
import { EtcdRegistration } from "./registration/registration.js";
import { etcdInstancers } from "./watch/instancers.js";
import { SnapshotFolder, type SnapshotOptions } from "./watch/snapshot/snapshot-folder.js";

const DEFAULTS = {
  // Long enough for an election or a restart of etcd, short enough that a dead instance is soon gone; go-kit's too.
  ttlMs: 10_000,
  registerTimeoutMs: 10_000,
};

export interface EtcdOptions extends EtcdClientOptions {
  /** What stands before the service's name in every key; default `/services/`. Not together with `layout`. */
  readonly prefix?: string;
  /** How instances are written; default `goKitLayout()`: the key `/services/book/host:port`, the value `host:port`. */
  readonly layout?: Layout;
  /**
   * How long etcd keeps an instance that it no longer hears of; default 10,000 ms. Rounded up to whole seconds; etcd raises
   * what is below one and a half of its election timeouts (2 s at its defaults).
   */
  readonly ttlMs?: number;
  /**
   * What to do when more than half of at least four instances vanish within 10 s: by default those that vanished are
   * `retained` in the view for 300,000 ms and picked only when nothing else is usable; `false` believes the registry at once.
   */
  readonly massDeletionBrake?: MassDeletionBrakeOptions | false;
  /**
   * Keeps the last good view of each service on disk, for a client that starts while etcd is down: it begins with that view,
   * `stale` since it was last known to be true, and ends it with the first answer of etcd. Default: nothing is written.
   */
  readonly snapshot?: SnapshotOptions;
}

/** A registry in etcd. It connects with the first use; `close()` deregisters what it registered and ends its watches. */
export function etcd(options: EtcdOptions): Registry {
  const {
    prefix,
    layout = goKitLayout(prefix === undefined ? {} : { prefix }),
    ttlMs,
    massDeletionBrake,
    snapshot,
    ...clientOptions
  } = checked(options);
  const clock = options.clock ?? systemClock;
  const logger = resolveLogger(options.logger);
  // First what may be refused, then what would have to be closed.
  const massDeletion = massDeletionRule(massDeletionBrake);
  const members = () => parseEndpoints(options.endpoints, options.tls !== undefined).targets;
  const snapshots =
    snapshot === undefined ? undefined : new SnapshotFolder(snapshot, { clock, logger, members: members() });
  const client = etcdClient(clientOptions);
  const parts = {
    client,
    clock,
    random: options.random ?? systemRandom,
    logger,
    layout,
    ttlMs: ttlMs ?? DEFAULTS.ttlMs,
    massDeletion,
    snapshots,
  };
  const environment = { ...parts, keeper: new LeaseKeeper(parts) };
  const instancers = etcdInstancers(parts);
  const registrations = new Set<EtcdRegistration>();
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= (async () => {
      await Promise.all([...registrations].map((registration) => registration.close()));
      await instancers.close();
      await client.close();
    })();
    return closing;
  };

  return {
    async register(service, instance, { signal, timeoutMs = DEFAULTS.registerTimeoutMs } = {}) {
      if (closing) throw closedError();
      checkService(service);
      if (!(timeoutMs > 0)) throw invalid(`\`timeoutMs\` is ${timeoutMs}: give milliseconds, more than 0`);
      const registration = new EtcdRegistration(environment, service, instance, () =>
        registrations.delete(registration),
      );
      registrations.add(registration);
      await registration.start({ timeoutMs, ...(signal && { signal }) });
      return registration;
    },
    instancer(service) {
      if (closing) throw closedError();
      checkService(service);
      return instancers.open(service);
    },
    localAddress: (options) => client.localAddress(options),
    close,
    [Symbol.asyncDispose]: close,
  };
}

const KNOWN: Readonly<Record<keyof EtcdOptions, true>> = {
  endpoints: true,
  tls: true,
  user: true,
  password: true,
  dialTimeoutMs: true,
  keepAliveMs: true,
  timeoutMs: true,
  clock: true,
  random: true,
  logger: true,
  prefix: true,
  layout: true,
  ttlMs: true,
  massDeletionBrake: true,
  snapshot: true,
};

/** Refuses what would have no effect; the client checks its own options. */
function checked(options: EtcdOptions): EtcdOptions {
  refuseUnknownOptions("etcd()", options, KNOWN);
  const { prefix, layout, ttlMs } = options;
  if (prefix !== undefined && layout !== undefined) {
    throw invalid("`prefix` has no effect beside `layout`: give the prefix to the layout");
  }
  if (ttlMs !== undefined && !(Number.isFinite(ttlMs) && ttlMs > 0)) {
    throw invalid(`\`ttlMs\` is ${ttlMs}: give milliseconds, more than 0`);
  }
  return options;
}

function invalid(message: string): RollcallError {
  return new RollcallError("INVALID_ARGUMENT", message);
}

function closedError(): RollcallError {
  return new RollcallError("CLOSED", "the registry is closed");
}
