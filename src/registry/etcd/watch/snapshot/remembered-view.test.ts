/** When a view is written to the disk, and when it is shown from there. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Membership } from "../../../../instance.js";
import { virtualClock } from "../../../../testing/virtual-clock.js";
import { goKitLayout } from "../../../layouts/go-kit.js";
import { massDeletionRule } from "../../../mass-deletion.js";
import type { Change, Entry, StoreHeader } from "../position.js";
import { PublishedView } from "../published-view.js";
import { RememberedView } from "./remembered-view.js";
import type { Snapshot } from "./snapshot.js";
import type { StoredSnapshot } from "./snapshot-folder.js";

const NOW = 1_795_000_000_000;
const PREFIX = "/services/book/";

const entry = (host: string, modRevision = 1n): Entry => ({
  key: `${PREFIX}${host}:1`,
  value: new TextEncoder().encode(`${host}:1`),
  modRevision,
  lease: 7n,
});
const deletion = (host: string): Change => ({ key: `${PREFIX}${host}:1`, modRevision: 11n });
const header = (revision: bigint, raftTerm = 2n): StoreHeader => ({ clusterId: 7n, raftTerm, revision });
const onDisk = (hosts: readonly string[], revision: bigint, ageMs = 3_600_000): StoredSnapshot => ({
  file: "/var/book.snapshot",
  prefix: PREFIX,
  members: [],
  header: header(revision),
  entries: hosts.map((host) => entry(host)),
  trueAtEpochMs: NOW - ageMs,
});

function summary(view: Membership): string {
  if (view.state === "pending") return view.error ? "pending, hindered" : "pending";
  const hosts = (instances: readonly { readonly address: string }[]) =>
    instances.map(({ address }) => address.split(":")[0]).join();
  const retained = view.retained.length > 0 ? ` + ${hosts(view.retained)}` : "";
  return `${view.state} ${view.revision}/${view.epoch} ${hosts(view.instances)}${retained}`;
}

describe("a view that is remembered", () => {
  let clock: ReturnType<typeof virtualClock>;
  let written: Omit<Snapshot, "members">[];
  let warnings: string[];
  /** Lets the newest reading of the disk end. */
  let found: (snapshot: StoredSnapshot | undefined) => void;
  let readings: number;
  let finishWriting: (() => void) | undefined;
  let diskHangs: boolean;

  beforeEach(() => {
    clock = virtualClock(NOW);
    written = [];
    warnings = [];
    readings = 0;
    diskHangs = false;
  });

  function open() {
    const logger = { warn: (line: string) => void warnings.push(line), info: () => {} };
    const view = new PublishedView({ clock, logger, layout: goKitLayout(), massDeletion: massDeletionRule() }, "book");
    const snapshots = {
      read: () => {
        readings += 1;
        return new Promise<StoredSnapshot | undefined>((resolve) => {
          found = resolve;
        });
      },
      write: (snapshot: Omit<Snapshot, "members">) => {
        written.push(snapshot);
        return diskHangs ? new Promise<void>((resolve) => (finishWriting = resolve)) : Promise.resolve();
      },
    };
    const remembered = new RememberedView({ clock, snapshots }, PREFIX, view);
    const views: string[] = [];
    view.membership.subscribe((membership) => void views.push(summary(membership)));
    const list = (revision: bigint, hosts: readonly string[], { epoch = 0, raftTerm = 2n } = {}) =>
      remembered.replaced(
        hosts.map((host) => entry(host)),
        { ...header(revision, raftTerm), epoch },
      );
    return { view, remembered, views, list };
  }
  const hostsWritten = () =>
    written.map(({ entries }) => entries.map(({ key }) => key.slice(PREFIX.length, -2)).join());
  const refused = new Error("connection refused");

  describe("when the first list does not come", () => {
    it("shows what the disk remembers, stale since it was true, with an error that names the file", async () => {
      const { view, remembered, views } = open();
      remembered.hindered(refused);
      remembered.hindered(refused);
      expect(readings).toBe(1);
      await clock.advance(20);
      found(onDisk(["a", "b"], 40n));
      await clock.advance(20);
      expect(views).toEqual(["pending", "pending, hindered", "stale 40/0 a,b"]);
      const error = {
        code: "REGISTRY_UNAVAILABLE",
        message: "from the snapshot /var/book.snapshot of 2026-11-18T10:06:40.000Z: connection refused",
        cause: refused,
      };
      expect(view.membership.current).toMatchObject({ sinceEpochMs: NOW - 3_600_000, error });
      expect(warnings).toEqual([`the view of "book" begins with 2 instances ${error.message}`]);
    });

    it("says no more of it while the registry stays silent", async () => {
      const { remembered, views } = open();
      remembered.hindered(refused);
      found(onDisk(["a"], 40n));
      await clock.advance(20);
      remembered.silent(refused);
      remembered.hindered(new Error("another member: connection refused"));
      await clock.advance(60_000);
      expect(views.slice(2)).toEqual(["stale 40/0 a"]);
      expect(warnings).toHaveLength(1);
      expect(written).toEqual([]);
    });

    it("is shown also when the view was called unknown before the disk had answered", async () => {
      const { remembered, view } = open();
      remembered.hindered(refused);
      remembered.silent(refused);
      found(onDisk(["a"], 40n));
      await clock.advance(20);
      expect(view.membership.current).toMatchObject({ state: "stale", sinceEpochMs: NOW - 3_600_000 });
    });

    it("stays pending when the disk remembers nothing", async () => {
      const { remembered, views } = open();
      remembered.hindered(refused);
      found(undefined);
      await clock.advance(20);
      expect(views).toEqual(["pending", "pending, hindered"]);
    });

    it("does not claim to be true in the future when the clock was set back", async () => {
      const { remembered, view } = open();
      remembered.hindered(refused);
      found(onDisk(["a"], 40n, -3_600_000));
      await clock.advance(20);
      expect(view.membership.current).toMatchObject({ sinceEpochMs: NOW });
    });
  });

  it("does not show what the disk remembers while a list is on its way, nor after one", async () => {
    const { remembered, views, list } = open();
    found(onDisk(["a"], 40n));
    await clock.advance(1_500);
    list(50n, ["c"]);
    remembered.hindered(refused);
    remembered.silent(refused);
    await clock.advance(20);
    expect(readings).toBe(1);
    expect(views).toEqual(["pending", "live 50/0 c", "stale 50/0 c"]);
  });

  describe("when the first list lacks most of those whom the disk remembers", () => {
    const FIVE = ["a", "b", "c", "d", "e"];

    it.each(["before", "after"])(
      "retains them, where the disk answers %s the list, and does not overwrite them",
      async (when) => {
        const { view, remembered, list } = open();
        if (when === "before") found(onDisk(FIVE, 40n, 60_000));
        await clock.advance(20);
        list(50n, ["e"]);
        await clock.advance(20);
        if (when === "after") found(onDisk(FIVE, 40n, 60_000));
        await clock.advance(20);
        expect(summary(view.membership.current)).toBe("live 50/0 e + a,b,c,d");
        await clock.advance(100_000);
        expect(written).toEqual([]);
        remembered.close();
        expect(written).toEqual([]);
      },
    );

    it("retains them for what is left of the grace time since they were known, and then believes the list", async () => {
      const { view, list } = open();
      found(onDisk(FIVE, 40n, 200_000));
      await clock.advance(20);
      list(50n, []);
      await clock.advance(99_000);
      expect(summary(view.membership.current)).toBe("live 50/0  + a,b,c,d,e");
      const loss = "lost 5 instances within 200 s, 0 are left; the lost are retained as a last resort for 100 s";
      expect(warnings).toEqual([`the view of "book" ${loss}`]);
      await clock.advance(1_000);
      expect(summary(view.membership.current)).toBe("live 50/0 ");
      await clock.advance(20_000);
      expect(hostsWritten()).toEqual([""]);
    });

    it.each([
      ["they were known longer ago than the grace time", 300_000, []],
      ["as many others are there: the service was replaced", 60_000, ["v", "w", "x", "y", "z"]],
    ])("retains nobody when %s", async (_what, ageMs, hosts) => {
      const { view, list } = open();
      found(onDisk(FIVE, 40n, ageMs));
      await clock.advance(20);
      list(50n, hosts);
      await clock.advance(20);
      expect(summary(view.membership.current)).toBe(`live 50/0 ${hosts.join()}`);
      expect(warnings).toEqual([]);
    });
  });

  it("does not replace what the disk has before it was read", async () => {
    const { remembered, list } = open();
    list(50n, []);
    await clock.advance(30_000);
    remembered.close();
    found(onDisk(["a"], 40n));
    await clock.advance(20);
    expect(written).toEqual([]);
  });

  it("does not show what the disk remembers after a list that came meanwhile", async () => {
    const { remembered, views, list } = open();
    remembered.hindered(refused);
    await clock.advance(20);
    list(50n, ["c"]);
    found(onDisk(["a"], 40n));
    await clock.advance(20);
    expect(views.slice(2)).toEqual(["live 50/0 c"]);
  });

  describe("when a list comes after it was shown from the disk", () => {
    async function shown(hosts: readonly string[]) {
      const parts = open();
      parts.remembered.hindered(refused);
      found(onDisk(hosts, 40n));
      await clock.advance(20);
      return parts;
    }

    it("goes on in the same epoch, with the very instances that are still there", async () => {
      const { view, remembered } = await shown(["a", "b"]);
      const before = view.membership.current;
      remembered.replaced([entry("a"), entry("c", 50n)], { ...header(55n), epoch: 0 });
      const now = view.membership.current;
      expect(summary(now)).toBe("live 55/0 a,c");
      expect(now.state === "live" && before.state === "stale" && now.instances[0] === before.instances[0]).toBe(true);
    });

    it("begins a new epoch where what is listed would have been there before", async () => {
      const { view, list } = await shown(["a", "b"]);
      list(55n, ["a", "c"]);
      expect(summary(view.membership.current)).toBe("live 55/1 a,c");
    });

    it.each([
      ["a revision that went back", 39n, 2n],
      ["a term that went back", 99n, 1n],
    ])("begins a new epoch at %s, and counts on from there", async (_what, revision, raftTerm) => {
      const { view, list } = await shown(["a", "b"]);
      list(revision, ["a"], { raftTerm });
      expect(summary(view.membership.current)).toBe(`live ${revision}/1 a`);
      expect(warnings.at(-2)).toBe('the view of "book" was read anew because etcd was rebuilt or restored');
      await clock.advance(20);
      list(5n, ["a"], { epoch: 1, raftTerm });
      expect(summary(view.membership.current)).toBe("live 5/2 a");
    });

    it("retains those that it does not name any more, if they are most of them", async () => {
      const { view, list } = await shown(["a", "b", "c", "d"]);
      list(3n, []);
      expect(summary(view.membership.current)).toBe("live 3/1  + a,b,c,d");
    });
  });

  describe("on the disk", () => {
    async function nothingThere() {
      const parts = open();
      found(undefined);
      await clock.advance(0);
      return parts;
    }

    it("is written a second after the first list, with all that was read and where", async () => {
      const { list } = await nothingThere();
      list(10n, ["a", "b"]);
      await clock.advance(999);
      expect(written).toEqual([]);
      await clock.advance(1);
      expect(written).toEqual([
        {
          prefix: PREFIX,
          header: { ...header(10n), epoch: 0 },
          entries: [entry("a"), entry("b")],
          trueAtEpochMs: NOW + 1_000,
        },
      ]);
    });

    it("is written after changes, once in ten seconds however many there are", async () => {
      const { remembered, list } = await nothingThere();
      list(10n, ["a"]);
      await clock.advance(1_000);
      for (let n = 0; n < 290; n += 1) {
        remembered.changed(n % 2 ? [deletion("b")] : [entry("b")], 11n + BigInt(n));
        await clock.advance(100);
      }
      expect(hostsWritten().length).toBeGreaterThanOrEqual(3);
      expect(hostsWritten().length).toBeLessThanOrEqual(4);
      remembered.changed([entry("c")], 999n);
      await clock.advance(10_000);
      expect(hostsWritten().at(-1)).toBe("a,c");
      expect(written.at(-1)?.header.revision).toBe(999n);
    });

    it("is confirmed once a minute while nothing changes and the registry is heard, and not while it is silent", async () => {
      const { remembered, list } = await nothingThere();
      list(10n, ["a"]);
      await clock.advance(61_000);
      expect(written.map(({ trueAtEpochMs }) => trueAtEpochMs - NOW)).toEqual([1_000, 61_000]);
      remembered.silent(refused);
      await clock.advance(600_000);
      expect(written).toHaveLength(2);
      remembered.heard();
      await clock.advance(60_000);
      expect(written).toHaveLength(3);
    });

    it("says of what changed before a silence that it was true until then", async () => {
      const { remembered, list } = await nothingThere();
      list(10n, ["a"]);
      await clock.advance(500);
      remembered.silent(refused);
      await clock.advance(500);
      expect(written).toMatchObject([{ trueAtEpochMs: NOW + 500 }]);
    });

    it("keeps what was there before a mass deletion, until nobody is retained any more", async () => {
      const { remembered, list } = await nothingThere();
      list(10n, ["a", "b", "c", "d"]);
      await clock.advance(1_000);
      remembered.changed(["a", "b", "c"].map(deletion), 13n);
      await clock.advance(200_000);
      remembered.close();
      expect(hostsWritten()).toEqual(["a,b,c,d"]);
    });

    it("is written again when the retained were given up", async () => {
      const { remembered, list } = await nothingThere();
      list(10n, ["a", "b", "c", "d"]);
      await clock.advance(1_000);
      remembered.changed(["a", "b", "c"].map(deletion), 13n);
      await clock.advance(320_000);
      expect(hostsWritten().at(-1)).toBe("d");
    });

    it("is written at last when it is closed, and never after", async () => {
      const { remembered, list } = await nothingThere();
      list(10n, ["a"]);
      await clock.advance(1_000);
      remembered.changed([entry("b")], 11n);
      await clock.advance(10);
      remembered.close();
      expect(hostsWritten()).toEqual(["a", "a,b"]);
      expect(clock.pendingTimers).toBe(0);
    });

    it("is written by nobody who never read it", async () => {
      const { remembered } = open();
      remembered.hindered(refused);
      found(onDisk(["a"], 40n));
      await clock.advance(100_000);
      remembered.close();
      expect(written).toEqual([]);
    });

    it("waits for a disk that hangs, and does not let writings pile up", async () => {
      const { remembered, list } = await nothingThere();
      diskHangs = true;
      list(10n, ["a"]);
      await clock.advance(1_000);
      remembered.changed([entry("b")], 11n);
      await clock.advance(60_000);
      expect(hostsWritten()).toEqual(["a"]);
      finishWriting?.();
      await clock.advance(10_000);
      expect(hostsWritten()).toEqual(["a", "a,b"]);
    });
  });
});
