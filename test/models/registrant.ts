/** One registration of one process of the model, held to what it may do to the keys of others. */
import type { NewInstance } from "../../src/instance.js";
import type { Live } from "../../src/live.js";
import { silentLogger } from "../../src/logger.js";
import { LeaseKeeper } from "../../src/registry/etcd/registration/lease-keeper.js";
import { EtcdRegistration } from "../../src/registry/etcd/registration/registration.js";
import type { Layout } from "../../src/registry/layouts/layout.js";
import type { RegistrationState, RegistrationStatus } from "../../src/registry/registry.js";
import type { ModelClient } from "./etcd/client.js";
import type { Deed } from "./etcd/cluster.js";
import type { World } from "./world.js";

export const TTL_MS = 5_000;
/** A registration's own patience with a cluster that does not answer its end, and a moment. */
const CLOSED_WITHIN_MS = 3_001;

export class Registrant {
  readonly process: ModelClient;
  readonly layout: Layout;
  /** What was wrong so far; it cannot be thrown into the cluster. */
  readonly violations: string[] = [];
  readonly #world: World;
  readonly #registration: EtcdRegistration;
  /** Whether the first claim, which takes keys over, has had its answer. */
  #wasRegistered = false;
  #isClosed = false;
  outcome: "waiting" | "registered" | Error = "waiting";

  constructor(world: World, process: ModelClient, layout: Layout, address: string) {
    this.#world = world;
    this.process = process;
    this.layout = layout;
    const { clock } = process;
    const parts = { client: process, clock, random: world.random };
    const environment = { ...parts, keeper: new LeaseKeeper(parts), layout, ttlMs: TTL_MS, logger: silentLogger };
    this.#registration = new EtcdRegistration(environment, "book", { address }, () => {});
    this.#registration.subscribe(({ state }) => {
      this.#wasRegistered ||= state === "registered";
    });
    process.note = () => (this.#isClosed ? "closed" : this.#wasRegistered ? "held" : "first");
    world.cluster.onDeed((deed) => this.#judge(deed));
  }

  /** Resolves at once; `outcome` tells how it went. */
  start(timeoutMs = Number.POSITIVE_INFINITY): void {
    this.#registration.start({ timeoutMs }).then(
      () => {
        this.outcome = "registered";
      },
      (error: Error) => {
        this.#isClosed = true;
        this.outcome = error;
      },
    );
  }

  get status(): Live<RegistrationStatus> {
    return this.#registration;
  }

  get state(): RegistrationState {
    return this.#registration.current.state;
  }

  get leaseId(): bigint {
    return this.#registration.lease.id;
  }

  /** Its keys, as they should stand, in order. */
  get keys(): readonly string[] {
    return this.#entries.map(({ key }) => key).sort();
  }

  /** Whether everything stands in the cluster as this registration wants it. */
  get stands(): boolean {
    const { now } = this.#world.cluster.history;
    return this.#entries.every(({ key, value }) => {
      const stored = now.get(key);
      return stored?.lease === this.leaseId && Buffer.compare(stored.value, value) === 0;
    });
  }

  /** The keys that hang on a lease of this registration, in order. */
  get held(): readonly string[] {
    const { cluster } = this.#world;
    return [...cluster.history.now]
      .flatMap(([key, { lease }]) => (lease !== 0n && cluster.ownerOf(lease) === this.process.name ? [key] : []))
      .sort();
  }

  get leases(): readonly bigint[] {
    return this.#world.cluster.leasesOf(this.process.name);
  }

  update(change: Omit<NewInstance, "address">): void {
    if (this.outcome === "registered" && !this.#isClosed) this.#registration.update(change).catch(() => {});
  }

  async close(): Promise<void> {
    void this.#registration.close().then(() => {
      this.#isClosed = true;
    });
    await this.#world.clock.advance(CLOSED_WITHIN_MS);
    if (!this.#isClosed) this.violations.push("not closed in time");
  }

  get #entries() {
    const { id: _, ...instance } = this.#registration.instance;
    return this.layout.encode("book", instance, this.leaseId);
  }

  #judge({ caller, commit, request }: Deed): void {
    const { cluster } = this.#world;
    const { name } = this.process;
    if (caller?.name !== name) return;
    for (const { key, kind, keyValue, previous } of commit.changes) {
      const owner = previous && previous.lease !== 0n ? cluster.ownerOf(previous.lease) : name;
      const takesOver = request === "txn" && kind === "put" && caller.note === "first";
      if (owner !== name && !takesOver) {
        this.violations.push(`${request}: ${kind} of ${key}, which is ${owner}'s, at revision ${commit.revision}`);
      }
      if (kind !== "put") continue;
      if (cluster.ownerOf(keyValue.lease) !== name) this.violations.push(`a put of ${key} under no lease of its own`);
      if (caller.note === "closed") this.violations.push(`a put of ${key} after it was closed`);
    }
  }
}
