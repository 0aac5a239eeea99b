/**
 * Whether what an observer is shown was ever true: each view exact at the revision that it claims, in a life of the cluster
 * that is not before that of the last one, never further back within an epoch, and never empty because something failed.
 */
import type { Instance, Membership } from "../../src/instance.js";
import { byId } from "../../src/instance.js";
import type { Layout } from "../../src/registry/layouts/layout.js";
import type { Contents, History } from "./etcd/history.js";

export class ViewOracle {
  readonly #histories: readonly History[];
  readonly #layout: Layout;
  readonly #prefix: string;
  #epoch = -1;
  #revision = 0n;
  /** The lives that every view of this epoch, and those before it, can come from. */
  #lives: readonly number[] = [];

  constructor(histories: readonly History[], layout: Layout, prefix: string) {
    this.#histories = histories;
    this.#layout = layout;
    this.#prefix = prefix;
  }

  /** What is wrong with `view` after those before it; undefined when nothing is. */
  fault(view: Membership): string | undefined {
    if (view.state === "pending") return this.#epoch < 0 ? undefined : "pending after it was known";
    const { epoch, revision, instances, retained } = view;
    const present = new Set(instances.map(({ id }) => id));
    if (retained.some(({ id }) => present.has(id))) return "retained, and present";
    if (epoch < this.#epoch) return `epoch ${epoch} after ${this.#epoch}`;
    const isSameEpoch = epoch === this.#epoch;
    if (isSameEpoch && revision < this.#revision) return `revision ${revision} after ${this.#revision}`;
    const earliest = Math.min(...this.#lives);
    const all = this.#histories.map((_, life) => life);
    const possible = isSameEpoch
      ? all.filter((life) => this.#lives.some((known) => this.#goesOn(known, life)))
      : all.filter((life) => this.#epoch < 0 || life > earliest);
    const lives = possible.filter((life) => same(instances, this.#instancesAt(life, revision)));
    if (lives.length === 0) {
      const seen = instances.map(({ id }) => id).join(", ");
      const truth = possible.map((life) =>
        this.#instancesAt(life, revision)
          ?.map(({ id }) => id)
          .join(", "),
      );
      return `${view.state} at revision ${revision} of epoch ${epoch}: [${seen}] was never so; it was [${truth.join("] or [")}]`;
    }
    this.#epoch = epoch;
    this.#revision = revision;
    this.#lives = lives;
    return undefined;
  }

  /** Whether `view` is what stands in the cluster now, whatever revision it was published at. */
  isCurrent(view: Membership): boolean {
    const history = this.#histories.at(-1);
    return view.state === "live" && history !== undefined && same(view.instances, this.#instancesOf(history.now));
  }

  /**
   * Whether a view of the one life may be followed by one of the other in the same epoch: a cluster that was rebuilt with its
   * id, has overtaken the view, and of which the view holds nothing that is not true there, cannot be told apart.
   */
  #goesOn(known: number, life: number): boolean {
    if (life < known) return false;
    const ids = this.#histories.slice(known, life + 1).map(({ clusterId }) => clusterId);
    return new Set(ids).size === 1;
  }

  #instancesAt(life: number, revision: bigint): readonly Instance[] | undefined {
    const contents = this.#histories[life]?.at(revision);
    return contents && this.#instancesOf(contents);
  }

  #instancesOf(contents: Contents): readonly Instance[] {
    return [...contents]
      .filter(([key]) => key.startsWith(this.#prefix))
      .flatMap(([key, { value }]) => {
        const decoded = this.#layout.decode(key, value);
        return "skip" in decoded ? [] : decoded;
      })
      .sort(byId);
  }
}

function same(seen: readonly Instance[], truth: readonly Instance[] | undefined): boolean {
  return truth !== undefined && JSON.stringify(seen) === JSON.stringify(truth);
}
