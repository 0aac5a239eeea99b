/**
 * Where snapshots lie: a file per prefix, in a folder that several processes may share. A file is whole or not there, because
 * it is written under a name of its own, brought to the disk, and then given its name; the last who writes wins.
 *
 * Nothing here fails a caller: what cannot be read or written is said once, and a program runs without snapshots as it would
 * have run before.
 */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Clock, Timer } from "../../../../clock.js";
import { RollcallError, toError } from "../../../../errors.js";
import { refuseUnknownOptions } from "../../../../known-options.js";
import type { Logger } from "../../../../logger.js";
import { decodeSnapshot, encodeSnapshot, type Snapshot } from "./snapshot.js";

export interface SnapshotOptions {
  /**
   * Where the snapshots lie, one file per service; it is made if it is not there. Processes of one user that use one etcd
   * cluster may share it. Nobody else should be able to write there: who can decides whom this client calls.
   */
  readonly folder: string;
  /**
   * How old a snapshot may be, from when it was last known to be true; default 604,800,000 ms (a week), `Infinity` for any
   * age. An outage of etcd is shorter, and an address from longer ago is more likely to be somebody else's by now.
   */
  readonly maxAgeMs?: number | undefined;
}

const DEFAULTS = { maxAgeMs: 7 * 24 * 60 * 60 * 1_000 };
const KNOWN = { folder: true, maxAgeMs: true } as const;
const UNFINISHED = /\.snapshot\.[0-9a-f-]{36}\.tmp$/;
// What is older belongs to a process that died while it wrote: writing takes milliseconds.
const ABANDONED_AFTER_MS = 3_600_000;
// As long as a deregistration may take.
const SETTLED_WITHIN_MS = 2_000;

export interface SnapshotFolderEnvironment {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The members of the cluster, each `host:port`. */
  readonly members: readonly string[];
}

export interface StoredSnapshot extends Snapshot {
  readonly file: string;
}

export class SnapshotFolder {
  readonly #folder: string;
  readonly #maxAgeMs: number;
  readonly #environment: SnapshotFolderEnvironment;
  readonly #reading = new Set<Promise<unknown>>();
  /** The newest writing of each prefix. */
  readonly #writing = new Map<string, Promise<void>>();
  #prepared: Promise<void> | undefined;
  #unwritable = false;

  /** Touches no disk. Throws `INVALID_ARGUMENT` for options that cannot be used. */
  constructor(options: SnapshotOptions, environment: SnapshotFolderEnvironment) {
    refuseUnknownOptions("snapshot", options, KNOWN);
    const { folder, maxAgeMs = DEFAULTS.maxAgeMs } = options;
    if (typeof folder !== "string" || folder === "") {
      throw new RollcallError("INVALID_ARGUMENT", "`snapshot.folder` is not a path: give that of a folder");
    }
    if (!(maxAgeMs > 0)) {
      throw new RollcallError(
        "INVALID_ARGUMENT",
        `\`snapshot.maxAgeMs\` is ${maxAgeMs}: give milliseconds, more than 0`,
      );
    }
    this.#folder = resolve(folder);
    this.#maxAgeMs = maxAgeMs;
    this.#environment = environment;
  }

  /** The snapshot of `prefix`, unless there is none that can be used. */
  read(prefix: string): Promise<StoredSnapshot | undefined> {
    const reading = this.#read(prefix);
    this.#reading.add(reading);
    void reading.then(() => this.#reading.delete(reading));
    return reading;
  }

  async #read(prefix: string): Promise<StoredSnapshot | undefined> {
    const file = this.#fileOf(prefix);
    try {
      const snapshot = decodeSnapshot(await readFile(file, "utf8"));
      this.#check(snapshot, prefix);
      return { ...snapshot, file };
    } catch (error) {
      if (isAbsent(error)) return undefined;
      this.#environment.logger.warn(`the snapshot ${file} is ignored: it ${reasonOf(error)}`);
      return undefined;
    }
  }

  /** Replaces the snapshot of its prefix. Never rejects. */
  write(snapshot: Omit<Snapshot, "members">): Promise<void> {
    const { prefix } = snapshot;
    const { members } = this.#environment;
    const before = this.#writing.get(prefix) ?? Promise.resolve();
    const writing = before
      .then(() => this.#write({ ...snapshot, members }))
      .then(
        () => {
          this.#unwritable = false;
        },
        (error: unknown) => this.#failed(toError(error)),
      );
    this.#writing.set(prefix, writing);
    return writing;
  }

  /** Resolves when nothing is being read or written any more, or a disk takes too long. */
  async settled(): Promise<void> {
    let timer: Timer | undefined;
    const patience = new Promise<void>((elapsed) => {
      timer = this.#environment.clock.after(SETTLED_WITHIN_MS, elapsed);
    });
    await Promise.race([Promise.all([...this.#reading, ...this.#writing.values()]), patience]);
    timer?.cancel();
  }

  #check({ prefix, members, trueAtEpochMs }: Snapshot, wanted: string): void {
    if (prefix !== wanted) throw new Error(`is of ${prefix}`);
    if (!members.some((member) => this.#environment.members.includes(member))) {
      throw new Error(`is of another cluster, ${members.join(",")}`);
    }
    const ageMs = this.#environment.clock.epochMs() - trueAtEpochMs;
    if (ageMs > this.#maxAgeMs) throw new Error(`was last known to be true ${new Date(trueAtEpochMs).toISOString()}`);
  }

  async #write(snapshot: Snapshot): Promise<void> {
    this.#prepared ??= this.#prepare();
    await this.#prepared;
    const file = this.#fileOf(snapshot.prefix);
    // The name must differ from that of every other process, whatever chance this registry was given.
    const unfinished = `${file}.${randomUUID()}.tmp`;
    try {
      const handle = await open(unfinished, "wx", 0o600);
      try {
        for (const piece of encodeSnapshot(snapshot)) await handle.write(piece);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(unfinished, file);
    } catch (error) {
      await rm(unfinished, { force: true }).catch(() => {}); // the first error says why
      throw error;
    }
  }

  /** Makes the folder, and tidies up after processes that died while they wrote. */
  async #prepare(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const names = await readdir(this.#folder);
    await Promise.all(names.filter((name) => UNFINISHED.test(name)).map((name) => this.#removeAbandoned(name)));
  }

  async #removeAbandoned(name: string): Promise<void> {
    const file = join(this.#folder, name);
    try {
      const { mtimeMs } = await stat(file);
      if (this.#environment.clock.epochMs() - mtimeMs > ABANDONED_AFTER_MS) await rm(file, { force: true });
    } catch {
      // Another process has removed it, or it is another's to remove.
    }
  }

  /** Readable for people, and different for every prefix. */
  #fileOf(prefix: string): string {
    const readable = prefix
      .replace(/[^\w.-]+/g, "_")
      .replace(/^_|_$/g, "")
      .slice(0, 80);
    const exact = createHash("sha256").update(prefix).digest("hex").slice(0, 12);
    return join(this.#folder, `${readable}-${exact}.snapshot`);
  }

  #failed({ message }: Error): void {
    this.#prepared = undefined; // somebody may have removed the folder
    if (this.#unwritable) return;
    this.#unwritable = true;
    this.#environment.logger.warn(`snapshots cannot be written to ${this.#folder}, all else goes on: ${message}`);
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** Completes "it …". */
function reasonOf(error: unknown): string {
  const { message } = toError(error);
  return error instanceof Error && "code" in error ? `cannot be read, ${message}` : message;
}
