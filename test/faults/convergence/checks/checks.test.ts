/** Each check fails where it has to: hand-made recordings with one thing wrong, beside the same without it. */
import type { Instance, Membership } from "rollcall";
import { describe, expect, it } from "vitest";
import { BOUND_MS, type ClientRecord, type Intent, type Life, PREFIX, type Recording } from "../recording.js";
import { stateAt } from "../truth.js";
import { allChecks } from "./all.js";

const key = (host: string) => `${PREFIX}${host}:1`;
const value = (host: string, writer: string) => JSON.stringify({ Op: 0, Addr: `${host}:1`, Metadata: { writer } });
const instance = (host: string, writer: string): Instance => ({
  id: key(host),
  address: `${host}:1`,
  metadata: { writer },
});

/** A put of `writer` under `lease`, or without a writer a deletion. */
function event(modRevision: number, host: string, writer?: string, lease = writer ? 7 : 0): Life["events"][number] {
  const what = writer === undefined ? {} : { value: value(host, writer) };
  const atMs = modRevision * 1_000;
  return { epoch: 0, key: key(host), ...what, lease: BigInt(lease), modRevision: BigInt(modRevision), atMs };
}

function live(revision: number, instances: readonly Instance[], more: { epoch?: number; retained?: Instance[] } = {}) {
  return { state: "live", revision: BigInt(revision), instances, retained: [], epoch: 0, ...more } as const;
}

function stale(revision: number, instances: readonly Instance[]): Membership {
  return { ...live(revision, instances), state: "stale", error: new Error("etcd is down"), sinceEpochMs: 0 };
}

/** Views that follow each other by a second, from 10 s on. */
function client(...views: readonly Membership[]): ClientRecord {
  const reports = views.map((view, index) => ({ service: "book", view, atMs: 10_000 + index * 1_000 }));
  return { name: "client-1.1", alive: true, views: reports };
}

function intent(writer: string, host: string, registeredAt?: number): Intent {
  const registered = registeredAt !== undefined && { atMs: registeredAt * 1_000, revision: BigInt(registeredAt) };
  return { writer, key: key(host), fromMs: 0, updates: 0, ...(registered && { registered }) };
}

/** Everything is as it should be: a registered at revision 2 and b at 3, and a client that saw both. */
const a = instance("10.0.0.1", "a.1");
const b = instance("10.0.0.2", "b.1");
const good: Recording = {
  lives: [{ sinceMs: 0, events: [event(2, "10.0.0.1", "a.1", 1), event(3, "10.0.0.2", "b.1", 2)] }],
  intents: [intent("a.1", "10.0.0.1", 2), intent("b.1", "10.0.0.2", 3)],
  clients: [client({ state: "pending" }, live(1, []), live(2, [a]), stale(2, [a]), live(3, [a, b]))],
  startedAtMs: 0,
  healedAtMs: 30_000,
  settled: { atMs: 31_000, revision: 31n },
  final: { atMs: 40_000, revision: 3n, entries: new Map() },
};

/** The last read is what the history says. */
function recording(change: Partial<Recording> = {}): Recording {
  const all = { ...good, ...change };
  const last = all.lives.at(-1);
  return last ? { ...all, final: { ...all.final, entries: stateAt(last, 1_000n) } } : all;
}

const wiped = (...events: Life["events"]): Life => ({ sinceMs: 10_500, events });

function violated(change: Partial<Recording>): string[] {
  return [...new Set(allChecks.flatMap((check) => check(recording(change)).map((violation) => violation.check)))];
}

describe("the checks of a run", () => {
  it("find nothing wrong where nothing is", () => {
    expect(violated({})).toEqual([]);
  });

  describe("exactness", () => {
    it("fails for a view that lacks an instance, or has one that is gone, or one that says something else", () => {
      expect(violated({ clients: [client(live(3, [b]), live(3, [a, b]))] })).toContain("exactness");
      const events = [...good.lives[0]!.events, event(4, "10.0.0.1")];
      const intents = [intent("b.1", "10.0.0.2", 3)];
      const gone = { lives: [{ sinceMs: 0, events }], intents };
      expect(violated({ ...gone, clients: [client(live(4, [b]))] })).toEqual([]);
      expect(violated({ ...gone, clients: [client(live(4, [a, b]), live(4, [b]))] })).toEqual(["exactness"]);
      const other = instance("10.0.0.1", "a.2");
      expect(violated({ clients: [client(live(3, [other, b]), live(3, [a, b]))] })).toContain("exactness");
    });

    it("fails for a revision that does not exist yet, and for instances out of order", () => {
      expect(violated({ clients: [client(live(4, [a, b]))] })).toEqual(["exactness"]);
      expect(violated({ clients: [client(live(3, [b, a]), live(3, [a, b]))] })).toEqual(["exactness"]);
    });

    it("holds a stale view to the revision that it still claims", () => {
      expect(violated({ clients: [client(live(2, [a]), stale(3, [a]), live(3, [a, b]))] })).toEqual(["exactness"]);
    });

    it("takes garbage for no instance", () => {
      const garbage = { ...event(4, "10.0.0.3", "x", 0), value: "garbage" };
      expect(violated({ lives: [{ sinceMs: 0, events: [...good.lives[0]!.events, garbage] }] })).toEqual([]);
    });

    it("fails for a view of a rebuilt cluster under the old epoch, and for an epoch that no rebuilding explains", () => {
      const rebuilt = [good.lives[0]!, wiped(event(2, "10.0.0.2", "b.1", 8), event(3, "10.0.0.1", "a.1", 9))];
      const first = live(3, [a, b]);
      const anew = live(2, [b], { epoch: 1 });
      expect(violated({ lives: rebuilt, clients: [client(first, anew, live(3, [a, b], { epoch: 1 }))] })).toEqual([]);
      expect(violated({ lives: rebuilt, clients: [client(live(2, [a]), live(2, [b]), first)] })).toContain("exactness");
      expect(violated({ clients: [client(first, live(3, [a, b], { epoch: 1 }))] })).toEqual(["exactness"]);
    });

    it("takes a store that was wiped before anything was written for the same store", () => {
      const rebuilt = wiped(event(2, "10.0.0.1", "a.1", 8), event(3, "10.0.0.2", "b.1", 9));
      const lives = [{ sinceMs: 0, events: [] }, rebuilt];
      expect(violated({ lives, clients: [client(live(1, []), live(2, [a]), live(3, [a, b]))] })).toEqual([]);
      expect(violated({ lives, clients: [client(live(1, []), live(2, [b]), live(3, [a, b]))] })).toContain("exactness");
    });

    it("lets an epoch go on into a rebuilt cluster only where nothing tells the two apart", () => {
      const neighbour = { ...event(2, "10.0.0.9", "z.1", 0), key: "/services/bookstore/10.0.0.9:1" };
      const empty = { sinceMs: 0, events: [neighbour] };
      const after = { sinceMs: 10_500, events: [neighbour, event(3, "10.0.0.1", "a.1"), event(4, "10.0.0.2", "b.1")] };
      const went = { clients: [client(live(2, []), live(4, [a, b]))] };
      expect(violated({ ...went, lives: [empty, after] })).toEqual([]);
      const registered = { sinceMs: 0, events: [event(2, "10.0.0.1", "a.1", 1)] };
      const again = { sinceMs: 10_500, events: [event(2, "10.0.0.1", "a.1", 2), event(3, "10.0.0.2", "b.1")] };
      const clients = [client(live(2, [a]), live(3, [a, b]))];
      expect(violated({ clients, lives: [registered, again] })).toEqual(["exactness"]);
      // By a list, after a compaction: all that stands was put later.
      const later = { ...again, events: [...again.events, event(4, "10.0.0.1", "a.1", 2)], compactions: [3n] };
      const listed = [client(live(2, [a]), live(4, [a, b]))];
      expect(violated({ clients: listed, lives: [registered, later] })).toEqual([]);
      expect(violated({ clients: listed, lives: [registered, { ...later, compactions: [2n] }] })).toEqual([
        "exactness",
      ]);
      expect(violated({ clients, lives: [registered, { ...again, compactions: [3n] }] })).toEqual(["exactness"]);
    });

    it("says nothing of revisions that a wipe took from the auditor, and no phantom still does", () => {
      const rebuilt = [good.lives[0]!, wiped(event(2, "10.0.0.1", "a.1", 8), event(3, "10.0.0.2", "b.1", 9))];
      const after = live(3, [a, b], { epoch: 1 });
      const unseen = (who: Instance) => ({ lives: rebuilt, clients: [client(live(3, [a, b]), live(5, [who]), after)] });
      expect(violated(unseen(b))).toEqual([]);
      expect(violated(unseen(instance("10.0.0.9", "z.1")))).toEqual(["no phantom"]);
    });
  });

  it("no phantom fails for a retained instance that never was, or that is among the instances as well", () => {
    const retained = (who: Instance) => ({ clients: [client(live(1, [], { retained: [who] }), live(3, [a, b]))] });
    expect(violated(retained(instance("10.0.0.9", "z.1")))).toEqual(["no phantom"]);
    expect(violated({ clients: [client(live(3, [a, b], { retained: [a] }))] })).toEqual(["no phantom"]);
  });

  it("monotone fails when a revision or an epoch goes back", () => {
    expect(violated({ clients: [client(live(3, [a, b]), live(2, [a]), live(3, [a, b]))] })).toEqual(["monotone"]);
    const rebuilt = [good.lives[0]!, wiped(event(2, "10.0.0.1", "a.1", 8), event(3, "10.0.0.2", "b.1", 9))];
    const back = client(live(3, [a, b]), live(3, [a, b], { epoch: 1 }), live(3, [a, b]));
    expect(violated({ lives: rebuilt, clients: [back] })).toContain("monotone");
  });

  describe("no empty", () => {
    it("fails when a known view is pending again, or loses its instances when it goes stale", () => {
      const pending = { clients: [client(live(3, [a, b]), { state: "pending" }, live(3, [a, b]))] };
      expect(violated(pending)).toEqual(["no empty"]);
      const emptied = { clients: [client(live(3, [a, b]), stale(3, []), live(3, [a, b]))] };
      expect(violated(emptied)).toContain("no empty");
    });

    it("fails for an empty view although the history behind it is lost", () => {
      const rebuilt = [good.lives[0]!, wiped(event(2, "10.0.0.1", "a.1", 8), event(3, "10.0.0.2", "b.1", 9))];
      const emptied = client(live(3, [a, b]), live(5, []), live(3, [a, b], { epoch: 1 }));
      expect(violated({ lives: rebuilt, clients: [emptied] })).toEqual(["no empty"]);
    });

    it("allows an empty view of what was truly deleted", () => {
      const events = [...good.lives[0]!.events, event(4, "10.0.0.1"), event(5, "10.0.0.2")];
      const deleted = { lives: [{ sinceMs: 0, events }], intents: [], clients: [client(live(3, [a, b]), live(5, []))] };
      expect(violated(deleted)).toEqual([]);
    });
  });

  describe("ownership", () => {
    const taken = event(4, "10.0.0.1", "c.1", 3);
    const lives = [{ sinceMs: 0, events: [...good.lives[0]!.events, taken] }];
    const clients = [client(live(4, [instance("10.0.0.1", "c.1"), b]))];

    it("allows the first claim of a server to take a key over", () => {
      const intents = [...good.intents, intent("c.1", "10.0.0.1", 4)];
      expect(violated({ lives, clients, intents })).toEqual([]);
    });

    it("allows a server to move its key from one lease of its own to another, and knows it by what it wrote first", () => {
      const moved = [event(4, "10.0.0.1", "a.1", 3), event(5, "10.0.0.1", "z.9", 3), event(6, "10.0.0.1", "a.1", 3)];
      const lives = [{ sinceMs: 0, events: [...good.lives[0]!.events, ...moved] }];
      expect(violated({ lives, clients: [client(live(6, [a, b]))] })).toEqual([]);
      const back = event(7, "10.0.0.1", "a.1", 1);
      const usurped = [{ sinceMs: 0, events: [...lives[0]!.events, event(6, "10.0.0.1", "z.9", 4), back] }];
      expect(violated({ lives: usurped, clients: [client(live(7, [a, b]))] })).toContain("ownership");
    });

    it("fails when a server takes a key back that it had before, or nobody knows who took it", () => {
      const intents = [...good.intents, intent("c.1", "10.0.0.1", 3)];
      expect(violated({ lives, clients, intents })).toEqual(["ownership"]);
      expect(violated({ lives, clients })).toContain("ownership");
    });
  });

  describe("liveness", () => {
    const without = (host: string, ...more: Life["events"]) => ({
      lives: [{ sinceMs: 0, events: [...good.lives[0]!.events, event(4, host), ...more] }],
    });
    const clients = [client(live(4, [b]))];

    it("fails when a key that is wanted is missing, or has no lease, or somebody else's value", () => {
      expect(violated({ ...without("10.0.0.1"), clients })).toEqual(["liveness"]);
      const stripped = event(5, "10.0.0.1", "a.1", 0);
      const shown = [client(live(5, [a, b]))];
      expect(violated({ ...without("10.0.0.1", stripped), clients: shown })).toEqual(["liveness"]);
      const usurped = event(5, "10.0.0.1", "z.1", 5);
      const usurper = [client(live(5, [instance("10.0.0.1", "z.1"), b]))];
      expect(violated({ ...without("10.0.0.1", usurped), clients: usurper })).toContain("liveness");
    });

    it("fails when a key does not say what its server said of itself last", () => {
      const updated = { ...intent("a.1", "10.0.0.1", 2), updates: 2 };
      expect(violated({ intents: [updated, intent("b.1", "10.0.0.2", 3)] })).toEqual(["liveness"]);
    });

    it("fails when a lease holds a key that nobody wants, and when a registration does not return", () => {
      expect(violated({ intents: [intent("a.1", "10.0.0.1", 2)] })).toEqual(["liveness"]);
      expect(violated({ intents: [...good.intents, intent("c.1", "10.0.0.1")] })).toEqual(["liveness"]);
    });

    it("fails when a key is written as it is again, or moves to one lease after the other, although all had settled", () => {
      const settled = { atMs: 31_000, revision: 3n };
      const rewritten = (...leases: readonly number[]) => {
        const more = leases.map((lease, index) => event(4 + index, "10.0.0.1", "a.1", lease));
        const lives = [{ sinceMs: 0, events: [...good.lives[0]!.events, ...more] }];
        return violated({ settled, lives, clients: [client(live(3 + leases.length, [a, b]))] });
      };
      expect(rewritten(5, 6)).toEqual([]);
      expect(rewritten(1)).toEqual(["liveness"]);
      expect(rewritten(5, 6, 7)).toEqual(["liveness"]);
    });

    it("fails when a key changes although all had settled", () => {
      const again = [event(40, "10.0.0.1"), event(41, "10.0.0.1", "a.1", 1)];
      const before = good.lives[0]!.events;
      const filling = Array.from({ length: 36 }, (_, index) => event(index + 4, "10.0.0.2", "b.1", 2));
      const settled = { settled: { atMs: 39_500, revision: 39n }, clients: [client(live(41, [a, b]))] };
      expect(violated({ ...settled, lives: [{ sinceMs: 0, events: [...before, ...filling] }] })).toContain("exactness");
      const lives = [{ sinceMs: 0, events: [...before, ...filling, ...again] }];
      expect(violated({ ...settled, lives })).toEqual(["liveness"]);
      const moved = [{ sinceMs: 0, events: [...before, ...filling, event(40, "10.0.0.1", "a.1", 5)] }];
      const shown = { ...settled, clients: [client(live(40, [a, b]))] };
      expect(violated({ ...shown, lives: moved })).toEqual([]);
      // The auditor may hear of it late: what counts is the revision.
      expect(violated({ ...settled, lives, settled: { atMs: 39_500, revision: 41n } })).toEqual([]);
    });
  });

  describe("convergence", () => {
    it("fails for a client that is behind, stale or without a view in the end", () => {
      expect(violated({ clients: [client(live(2, [a]))] })).toEqual(["convergence"]);
      expect(violated({ clients: [client(stale(3, [a, b]))] })).toEqual(["convergence"]);
      expect(violated({ clients: [client()] })).toEqual(["convergence"]);
      expect(violated({ clients: [{ ...client(), alive: false }] })).toEqual([]);
    });

    it("fails for a client that goes stale when all had settled", () => {
      const flapping = client(live(3, [a, b]), stale(3, [a, b]), live(3, [a, b]));
      expect(violated({ clients: [flapping], settled: { atMs: 10_500, revision: 3n } })).toEqual(["convergence"]);
    });
  });

  it("bounds the time after the last fault by its parts", () => {
    expect(BOUND_MS).toBe(13_000);
  });
});
