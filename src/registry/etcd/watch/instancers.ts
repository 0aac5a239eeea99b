/**
 * The instancers of a registry over etcd: handles on one watch per service.
 *
 * Why shared: every client of a service asks for its view, and a watch costs etcd a list and a stream. A handle is the
 * owner's own nevertheless: closing it ends no other.
 */
import type { Clock, Timer } from "../../../clock.js";
import { RollcallError } from "../../../errors.js";
import type { Membership } from "../../../instance.js";
import type { Random } from "../../../random.js";
import type { Instancer } from "../../registry.js";
import type { EtcdClient } from "../client/client.js";
import { clusterRevision } from "./cluster-revision.js";
import { progressTrust } from "./progress-trust.js";
import { PublishedView, type ViewEnvironment } from "./published-view.js";
import { RememberedView } from "./snapshot/remembered-view.js";
import type { SnapshotFolder } from "./snapshot/snapshot-folder.js";
import { PrefixWatch, type WatchEnvironment } from "./watch.js";

// A client that is replaced by another (a configuration read anew, one short-lived call after the other) finds the watch
// still open, and begins with a view instead of a list.
const LINGER_MS = 5_000;

export interface EtcdInstancersOptions extends ViewEnvironment {
  readonly client: EtcdClient;
  readonly random: Random;
  /** Where views are remembered; absent: nowhere. */
  readonly snapshots: SnapshotFolder | undefined;
}

export interface EtcdInstancers extends AsyncDisposable {
  /** A handle on the watch of `service`, which is opened unless it runs. Throws `CLOSED` after `close()`. */
  open(service: string): Instancer;
  /** Ends every watch and handle at once, and resolves when the last snapshots are written; the client is left open. */
  close(): Promise<void>;
}

export function etcdInstancers(options: EtcdInstancersOptions): EtcdInstancers {
  const environment = {
    ...options,
    progress: progressTrust(options.client),
    cluster: clusterRevision(options.client, options.clock, options.random),
  };
  const watches = new Map<string, SharedWatch>();
  let closed = false;

  const close = async () => {
    closed = true;
    // A view is not written before the disk was read.
    await options.snapshots?.settled();
    for (const watch of [...watches.values()]) watch.end();
    await options.snapshots?.settled();
  };
  return {
    open(service) {
      if (closed) throw new RollcallError("CLOSED", `the registry is closed; "${service}" cannot be watched any more`);
      let watch = watches.get(service);
      if (!watch) {
        watch = new SharedWatch(environment, service, () => watches.delete(service));
        watches.set(service, watch);
      }
      return watch.handle();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

type Environment = WatchEnvironment & ViewEnvironment & Pick<EtcdInstancersOptions, "snapshots">;

/** The one watch of a service; it lives from its first handle until `LINGER_MS` after its last. */
class SharedWatch {
  readonly #service: string;
  readonly #clock: Clock;
  readonly #view: PublishedView;
  readonly #remembered: RememberedView | undefined;
  readonly #watch: PrefixWatch;
  readonly #onEnd: () => void;
  readonly #handles = new Set<Handle>();
  #linger: Timer | undefined;

  constructor(environment: Environment, service: string, onEnd: () => void) {
    this.#service = service;
    this.#clock = environment.clock;
    this.#onEnd = onEnd;
    const prefix = environment.layout.prefix(service);
    this.#view = new PublishedView(environment, service);
    const { clock, snapshots } = environment;
    this.#remembered = snapshots && new RememberedView({ clock, snapshots }, prefix, this.#view);
    this.#watch = new PrefixWatch(environment, prefix, this.#remembered ?? this.#view);
    this.#watch.start();
  }

  handle(): Instancer {
    this.#linger?.cancel();
    const handle = new Handle(this.#service, this.#view, () => {
      this.#handles.delete(handle);
      if (this.#handles.size === 0) this.#linger = this.#clock.after(LINGER_MS, () => this.end());
    });
    this.#handles.add(handle);
    return handle;
  }

  end(): void {
    this.#onEnd();
    this.#watch.close();
    this.#remembered?.close();
    this.#view.close();
    for (const handle of [...this.#handles]) void handle.close();
    this.#linger?.cancel();
  }
}

class Handle implements Instancer {
  readonly service: string;
  readonly #view: PublishedView;
  readonly #onClose: () => void;
  readonly #subscriptions = new Set<Disposable>();
  /** What it showed last; set when it is closed. */
  #last: Membership | undefined;

  constructor(service: string, view: PublishedView, onClose: () => void) {
    this.service = service;
    this.#view = view;
    this.#onClose = onClose;
  }

  get current(): Membership {
    return this.#last ?? this.#view.membership.current;
  }

  get skipped(): ReadonlyMap<string, string> {
    return this.#view.skipped;
  }

  /** On a closed handle it tells the last view, once. */
  subscribe(observer: (membership: Membership) => void): Disposable {
    if (this.#last) {
      observer(this.#last);
      return { [Symbol.dispose]: () => {} };
    }
    const subscription = this.#view.membership.subscribe((membership) => {
      if (!this.#last) observer(membership);
    });
    // The observer may have closed the handle when it was told the first time.
    if (this.#last) subscription[Symbol.dispose]();
    else this.#subscriptions.add(subscription);
    return {
      [Symbol.dispose]: () => {
        this.#subscriptions.delete(subscription);
        subscription[Symbol.dispose]();
      },
    };
  }

  async close(): Promise<void> {
    if (this.#last) return;
    this.#last = this.#view.membership.current;
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
    this.#subscriptions.clear();
    this.#onClose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
