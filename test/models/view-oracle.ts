/**
 * Whether what an observer is shown was ever true: each view exact at the revision that it claims, in one life of the
 * cluster for each epoch, never further back than the one before, and never empty because something failed.
 */
import type { Instance, Membership } from "../../src/instance.js";
import { byId } from "../../src/instance.js";
import type { Layout } from "../../src/registry/layouts/layout.js";
import type { Contents, History, Stored } from "./etcd/history.js";

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
      ? all.filter((life) => this.#lives.some((known) => known === life || this.#goesOn(known, life)))
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

  /** Whether nobody who saw the one life up to the last view could tell it from the other: a snapshot that lost nothing. */
  #goesOn(known: number, life: number): boolean {
    const contents = life > known ? this.#histories[life]?.at(this.#revision) : undefined;
    const before = this.#histories[known]?.at(this.#revision);
    return (
      contents !== undefined && before !== undefined && sameContents(this.#watched(before), this.#watched(contents))
    );
  }

  #watched(contents: Contents): readonly (readonly [string, Stored])[] {
    return [...contents].filter(([key]) => key.startsWith(this.#prefix)).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  #instancesAt(life: number, revision: bigint): readonly Instance[] | undefined {
    const contents = this.#histories[life]?.at(revision);
    return contents && this.#instancesOf(contents);
  }

  #instancesOf(contents: Contents): readonly Instance[] {
    return this.#watched(contents)
      .flatMap(([key, { value }]) => {
        const decoded = this.#layout.decode(key, value);
        return "skip" in decoded ? [] : decoded;
      })
      .sort(byId);
  }
}

function sameContents(a: readonly (readonly [string, Stored])[], b: readonly (readonly [string, Stored])[]): boolean {
  return (
    a.length === b.length &&
    a.every(([key, { lease, value }], index) => {
      const [otherKey, other] = b[index] ?? [];
      return key === otherKey && lease === other?.lease && Buffer.compare(value, other.value) === 0;
    })
  );
}

function same(seen: readonly Instance[], truth: readonly Instance[] | undefined): boolean {
  return truth !== undefined && JSON.stringify(seen) === JSON.stringify(truth);
}
