import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { virtualClock } from "../../../../testing/virtual-clock.js";
import type { Snapshot } from "./snapshot.js";
import { SnapshotFolder, type SnapshotOptions } from "./snapshot-folder.js";

const NOW = 1_795_000_000_000;
const HOUR = 3_600_000;
const PREFIX = "/services/book/";
const FILE = /^services_book-[0-9a-f]{12}\.snapshot$/;

const snapshotOf = (host: string, changes: Partial<Snapshot> = {}): Omit<Snapshot, "members"> => ({
  prefix: PREFIX,
  header: { clusterId: 7n, raftTerm: 2n, revision: 10n },
  entries: [{ key: `${PREFIX}${host}:1`, value: Buffer.from(`${host}:1`), modRevision: 10n, lease: 7n }],
  trueAtEpochMs: NOW,
  ...changes,
});

describe("a folder of snapshots", () => {
  let folder: string;
  let warnings: string[];

  beforeEach(async () => {
    folder = join(await mkdtemp(join(tmpdir(), "rollcall-snapshots-")), "made", "by it");
    warnings = [];
  });
  afterEach(() => rm(join(folder, "..", ".."), { recursive: true, force: true }));

  const open = (options: Partial<SnapshotOptions> = {}, members = ["10.0.0.1:2379", "10.0.0.2:2379"]) =>
    new SnapshotFolder(
      { folder, ...options },
      { clock: virtualClock(NOW), logger: { warn: (line) => void warnings.push(line), info: () => {} }, members },
    );
  const theFile = async () => join(folder, (await readdir(folder)).find((name) => FILE.test(name)) ?? "missing");

  it("gives back what was written last, and has one file per prefix that only its owner can read", async () => {
    const snapshots = open();
    await snapshots.write(snapshotOf("a"));
    await snapshots.write(snapshotOf("b"));
    await snapshots.write(snapshotOf("c", { prefix: "/services/book.shop/" }));
    expect(await open().read(PREFIX)).toMatchObject(snapshotOf("b"));
    expect(await readdir(folder)).toHaveLength(2);
    expect((await stat(await theFile())).mode & 0o777).toBe(0o600);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect(warnings).toEqual([]);
  });

  it("has none of a service that it does not know, also before the folder is there, and says nothing of it", async () => {
    expect(await open().read(PREFIX)).toBeUndefined();
    await open().write(snapshotOf("a"));
    expect(await open().read("/services/other/")).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  it("ignores a damaged file and says which; the next writing mends it", async () => {
    await open().write(snapshotOf("a"));
    const file = await theFile();
    const text = await readFile(file, "utf8");
    await writeFile(file, text.slice(0, -20));
    expect(await open().read(PREFIX)).toBeUndefined();
    await writeFile(file, text.replace("/services/book/a:1", "/services/book/b:1"));
    expect(await open().read(PREFIX)).toBeUndefined();
    expect(warnings).toEqual([
      `the snapshot ${file} is ignored: it is damaged: its checksum does not fit`,
      `the snapshot ${file} is ignored: it is damaged: its checksum does not fit`,
    ]);
    await open().write(snapshotOf("a"));
    expect(await open().read(PREFIX)).toBeDefined();
  });

  it("ignores a file of another prefix, of another cluster, and one that cannot be read", async () => {
    await open().write(snapshotOf("a"));
    const file = await theFile();
    expect(await open({}, ["10.9.9.9:2379"]).read(PREFIX)).toBeUndefined();
    await open().write(snapshotOf("a", { prefix: "/other/" }));
    const other = (await readdir(folder)).find((name) => name.startsWith("other")) ?? "missing";
    await writeFile(file, await readFile(join(folder, other)));
    expect(await open().read(PREFIX)).toBeUndefined();
    await rm(file);
    await mkdir(file);
    expect(await open().read(PREFIX)).toBeUndefined();
    expect(warnings).toEqual([
      `the snapshot ${file} is ignored: it is of another cluster, 10.0.0.1:2379,10.0.0.2:2379`,
      `the snapshot ${file} is ignored: it is of /other/`,
      expect.stringMatching(/is ignored: it cannot be read, EISDIR/),
    ]);
  });

  it("knows its cluster when some members were replaced", async () => {
    await open().write(snapshotOf("a"));
    expect(await open({}, ["10.0.0.2:2379", "10.0.0.3:2379"]).read(PREFIX)).toBeDefined();
  });

  it("ignores what is too old, by default what was not known to be true for a week", async () => {
    const days = (count: number) => ({ trueAtEpochMs: NOW - count * 24 * HOUR });
    await open().write(snapshotOf("a", days(6.9)));
    expect(await open().read(PREFIX)).toBeDefined();
    expect(await open({ maxAgeMs: HOUR }).read(PREFIX)).toBeUndefined();
    await open().write(snapshotOf("a", days(7.1)));
    expect(await open().read(PREFIX)).toBeUndefined();
    expect(await open({ maxAgeMs: Number.POSITIVE_INFINITY }).read(PREFIX)).toBeDefined();
    expect(warnings[0]).toMatch(/is ignored: it was last known to be true 2026-\d\d-\d\dT/);
  });

  it("is never seen half written, by whoever reads while two write", async () => {
    const entries = Array.from({ length: 2_000 }, (_, n) => ({
      key: `${PREFIX}${n}`,
      value: Buffer.from(`${n}`),
      modRevision: 1n,
      lease: 7n,
    }));
    await open().write(snapshotOf("a", { entries }));
    let writing = true;
    const writers = [open(), open()].map(async (snapshots, n) => {
      for (let round = 0; round < 20; round += 1) {
        await snapshots.write(snapshotOf("a", { entries: entries.slice(n * 500) }));
      }
    });
    const ended = Promise.all(writers).then(() => {
      writing = false;
    });
    const sizes = new Set<number | undefined>();
    while (writing) sizes.add((await open().read(PREFIX))?.entries.length);
    await ended;
    expect([...sizes].filter((size) => size !== 2_000 && size !== 1_500)).toEqual([]);
    expect(warnings).toEqual([]);
    expect(await readdir(folder)).toHaveLength(1);
  });

  it("is settled when it has read, too", async () => {
    const snapshots = open();
    let read = false;
    void snapshots.read(PREFIX).then(() => {
      read = true;
    });
    await snapshots.settled();
    expect(read).toBe(true);
  });

  it("keeps the order in which one process writes", async () => {
    const snapshots = open();
    const hosts = Array.from({ length: 10 }, (_, n) => `h${n}`);
    await Promise.all(hosts.map((host) => snapshots.write(snapshotOf(host))));
    await snapshots.settled();
    expect((await open().read(PREFIX))?.entries[0]?.key).toBe(`${PREFIX}h9:1`);
  });

  it("removes what a process left that died while it wrote, and nothing that another may be writing", async () => {
    await open().write(snapshotOf("a"));
    const file = await theFile();
    const abandoned = `${file}.00000000-0000-4000-8000-000000000000.tmp`;
    const inProgress = `${file}.11111111-1111-4111-8111-111111111111.tmp`;
    for (const name of [abandoned, inProgress, join(folder, "notes.tmp")]) await writeFile(name, "half");
    for (const name of [abandoned, join(folder, "notes.tmp")])
      await utimes(name, NOW / 1_000 - 7_200, NOW / 1_000 - 7_200);
    await utimes(inProgress, NOW / 1_000 - 60, NOW / 1_000 - 60);
    await open().write(snapshotOf("a"));
    expect((await readdir(folder)).map((name) => join(folder, name)).sort()).toEqual(
      [file, inProgress, join(folder, "notes.tmp")].sort(),
    );
  });

  it("that cannot be written to is said once, and again when it was mended and broke anew", async () => {
    await mkdir(join(folder, ".."), { recursive: true });
    await writeFile(folder, "a file in its place");
    const snapshots = open();
    await snapshots.write(snapshotOf("a"));
    await snapshots.write(snapshotOf("a"));
    expect(warnings).toEqual([
      expect.stringMatching(/^snapshots cannot be written to .*by it, all else goes on: E(EXIST|NOTDIR)/),
    ]);
    await rm(folder);
    await snapshots.write(snapshotOf("a"));
    expect(await snapshots.read(PREFIX)).toBeDefined();
    await rm(folder, { recursive: true });
    await writeFile(folder, "again");
    await snapshots.write(snapshotOf("a"));
    expect(warnings).toHaveLength(2);
    await rm(folder);
    await snapshots.write(snapshotOf("a"));
    expect(await snapshots.read(PREFIX)).toBeDefined();
  });

  it.each([
    [{}, /`snapshot.folder` is not a path: give that of a folder/],
    [{ folder: "" }, /`snapshot.folder` is not a path/],
    [{ folder: "x", maxAgeMs: 0 }, /`snapshot.maxAgeMs` is 0: give milliseconds, more than 0/],
    [{ folder: "x", maxAgeMs: Number.NaN }, /`snapshot.maxAgeMs` is NaN/],
    [{ folder: "x", age: 1 }, /snapshot has no option `age`; it has folder, maxAgeMs/],
  ])("refuses %j", (options, message) => {
    const make = () =>
      new SnapshotFolder(options as SnapshotOptions, {
        clock: virtualClock(),
        logger: { warn: () => {}, info: () => {} },
        members: [],
      });
    expect(make).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringMatching(message) }),
    );
  });
});
