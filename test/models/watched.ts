/** A service as one process of the model watches it, held to the truth at every view. */
import type { Membership } from "../../src/instance.js";
import type { Live } from "../../src/live.js";
import { silentLogger } from "../../src/logger.js";
import { etcdInstancers } from "../../src/registry/etcd/watch/instancers.js";
import { goKitLayout } from "../../src/registry/layouts/go-kit.js";
import { massDeletionRule } from "../../src/registry/mass-deletion.js";
import type { ModelClient } from "./etcd/client.js";
import { ViewOracle } from "./view-oracle.js";
import { PREFIX, type World } from "./world.js";

/** Without an answer for so long, a view that calls itself live would be a lie: the probe's time, and what makes it stale. */
const STALE_WITHIN_MS = 6_000;

export class Watched {
  /** What was wrong so far; an observer cannot throw it. */
  readonly violations: string[] = [];
  readonly #process: ModelClient;
  readonly #oracle: ViewOracle;
  readonly #instancers: ReturnType<typeof etcdInstancers>;
  readonly #instancer: ReturnType<ReturnType<typeof etcdInstancers>["open"]>;
  #cutOffSinceMs: number | undefined;

  constructor({ cluster, random }: World, process: ModelClient, layout = goKitLayout()) {
    this.#process = process;
    this.#oracle = new ViewOracle(cluster.histories, layout, PREFIX);
    this.#instancers = etcdInstancers({
      client: process,
      layout,
      clock: process.clock,
      random,
      logger: silentLogger,
      massDeletion: massDeletionRule(),
      snapshots: undefined,
    });
    this.#instancer = this.#instancers.open("book");
    this.#instancer.subscribe((view) => {
      const fault = this.#oracle.fault(view);
      if (fault !== undefined) this.violations.push(fault);
    });
  }

  get live(): Live<Membership> {
    return this.#instancer;
  }

  get current(): Membership {
    return this.#instancer.current;
  }

  get isConverged(): boolean {
    return this.#oracle.isCurrent(this.current);
  }

  get description(): string {
    const { current } = this;
    if (current.state === "pending") return "pending";
    return `${current.state} at ${current.revision}: ${current.instances.map(({ id }) => id).join(", ")}`;
  }

  /** To be called after each step: what must hold at any time. */
  check(): void {
    const { clock, isCutOff, streams, waiting } = this.#process;
    if (streams.size > 1) this.violations.push("two streams at once");
    if ((waiting.get("range") ?? 0) > 2) this.violations.push("more than a list and a comparison at once");
    if (!isCutOff || clock.isAsleep) {
      this.#cutOffSinceMs = undefined;
      return;
    }
    this.#cutOffSinceMs ??= clock.nowMs();
    const isLong = clock.nowMs() - this.#cutOffSinceMs > STALE_WITHIN_MS;
    if (isLong && this.current.state === "live") this.violations.push("live, and cut off for long");
  }

  async close(): Promise<void> {
    await this.#instancers.close();
    await this.#process.close();
  }
}
