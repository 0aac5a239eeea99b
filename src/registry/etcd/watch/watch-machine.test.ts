import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Position } from "./position.js";
import { transition, type WatchEffect, type WatchEvent, type WatchState } from "./watch-machine.js";

const position: Position = { clusterId: 7n, raftTerm: 3n, revision: 100n, epoch: 0 };
const listing = { kind: "listing", failures: 0 } as const;
const opening = { kind: "opening", position, failures: 0 } as const;
const confirming = { kind: "confirming", position, failures: 0 } as const;
const watching = { kind: "watching", position, failures: 2, reports: false } as const;
const doubting = { ...watching, kind: "doubting", since: 100n, owed: 110n } as const;

const states: readonly WatchState[] = [
  { kind: "idle" },
  listing,
  { ...listing, position },
  opening,
  watching,
  doubting,
  { ...doubting, reports: true },
  confirming,
  { kind: "waiting", next: listing },
  { kind: "waiting", next: confirming },
  { kind: "closed" },
];

/** Every event, under the name that the table gives it. */
const events: Readonly<Record<string, readonly WatchEvent[]>> = {
  start: [{ kind: "start" }],
  listed: [
    { kind: "listed", header: position, entries: [], rebuilt: false },
    { kind: "listed", header: { ...position, revision: 1n }, entries: [], rebuilt: false },
  ],
  failed: [{ kind: "failed" }],
  created: [
    { kind: "created", header: position },
    { kind: "created", header: { clusterId: 7n, raftTerm: 4n, revision: 200n } },
  ],
  "created (nameless)": [{ kind: "created", header: { clusterId: 0n, raftTerm: 0n, revision: 101n } }],
  "created (behind)": behind().map((header) => ({ kind: "created", header })),
  overdue: [{ kind: "overdue" }],
  changed: [{ kind: "changed", changes: [{ key: "k", modRevision: 101n }] }],
  progress: [110n, 109n, 99n].map((revision) => ({ kind: "progress", revision })),
  settled: [{ kind: "settled" }],
  "check-due": [{ kind: "check-due" }],
  checked: [{ kind: "checked", header: position, since: position }],
  "checked (ahead)": [{ kind: "checked", header: { ...position, revision: 101n }, since: position }],
  "checked (rebuilt)": behind().map((header) => ({ kind: "checked", header, since: position })),
  unchecked: [{ kind: "unchecked" }],
  unproven: [{ kind: "unproven" }],
  compared: [{ kind: "compared", since: 100n, owed: 110n, same: true }],
  "compared (deaf)": [{ kind: "compared", since: 100n, owed: 110n, same: false }],
  compacted: [{ kind: "compacted" }],
  refused: [{ kind: "refused" }],
  ended: [{ kind: "ended" }],
  confirmed: [{ kind: "confirmed", header: position, same: true }],
  "confirmed (rebuilt)": [
    ...behind().map((header) => ({ kind: "confirmed", header, same: true }) as const),
    { kind: "confirmed", header: position, same: false },
  ],
  retry: [{ kind: "retry" }],
  silence: [{ kind: "silence" }],
  close: [{ kind: "close" }],
};

function behind() {
  return [
    { ...position, clusterId: 8n },
    { ...position, raftTerm: 2n },
    { ...position, revision: 99n },
  ];
}

describe("the watch machine", () => {
  it("makes exactly the transitions that its module comment draws", () => {
    const made = new Set<string>();
    for (const state of states) {
      for (const [name, samples] of Object.entries(events)) {
        for (const event of samples) {
          const step = transition(state, event);
          if (step.state === state && step.effects.length === 0) continue;
          made.add(row(state.kind, name, step.state.kind, step.effects.map((effect) => effect.kind).join(", ")));
        }
      }
    }
    expect([...made].sort()).toEqual(drawnRows().sort());
  });

  it("resumes after the last event, whatever revision the created response carried", () => {
    const created = transition(opening, { kind: "created", header: { ...position, revision: 2_500n } });
    expect(reopened(created.state)).toEqual([{ kind: "open", startRevision: 101n }]);
  });

  it("resumes after the last of several events", () => {
    const changes = [101n, 105n].map((modRevision) => ({ key: `k${modRevision}`, modRevision }));
    const changed = transition(watching, { kind: "changed", changes });
    expect(changed.effects).toEqual([{ kind: "apply", changes, revision: 105n }]);
    expect(reopened(changed.state)).toEqual([{ kind: "open", startRevision: 106n }]);
  });

  it("lets a progress report move the position forwards and never back", () => {
    const revisionAfter = (revision: bigint) => {
      const { state } = transition(watching, { kind: "progress", revision });
      return state.kind === "watching" ? state.position.revision : undefined;
    };
    expect(revisionAfter(150n)).toBe(150n);
    expect(revisionAfter(50n)).toBe(100n);
  });

  it("lets only a report of what is owed end a doubt", () => {
    const stateAfter = (revision: bigint) => transition(doubting, { kind: "progress", revision }).state;
    expect(stateAfter(109n)).toMatchObject({ kind: "doubting", position: { revision: 109n } });
    expect(stateAfter(110n)).toMatchObject({ kind: "watching", position: { revision: 110n } });
  });

  it("resumes from the revision at which a comparison found nothing new", () => {
    const compared = transition(doubting, { kind: "compared", since: 100n, owed: 110n, same: true });
    expect(reopened(compared.state)).toEqual([{ kind: "open", startRevision: 111n }]);
  });

  it("does not take the answer of an earlier doubt for that of this one", () => {
    for (const other of [{ since: 99n }, { owed: 109n }]) {
      const answer = { kind: "compared", since: 100n, owed: 110n, same: false, ...other } as const;
      expect(transition(doubting, answer)).toEqual({ state: doubting, effects: [] });
    }
  });

  it("does not take a revision that was read before the watch had come further for a cluster that went back", () => {
    const since = { ...position, revision: 90n };
    const checked = transition(watching, { kind: "checked", header: { ...position, revision: 95n }, since });
    expect(checked.state).toMatchObject({ kind: "watching", position });
  });

  it("begins a new epoch when a list comes from another history, and only then", () => {
    const ahead = { ...position, revision: 500n, raftTerm: 9n };
    const epochOf = (header: Position, rebuilt = false, state: WatchState = { ...listing, position }) => {
      const { state: next } = transition(state, { kind: "listed", header, entries: [], rebuilt });
      return next.kind === "opening" ? next.position.epoch : undefined;
    };
    expect([position, ahead, ...behind()].map((header) => epochOf(header))).toEqual([0, 0, 1, 1, 1]);
    expect(epochOf(ahead, true)).toBe(1);
    const { state } = transition(confirming, { kind: "confirmed", header: ahead, same: false });
    const failed = transition(state, { kind: "failed" });
    expect(epochOf(ahead, false, transition(failed.state, { kind: "retry" }).state)).toBe(1);
  });

  it("opens a watch again only after a read has confirmed what is held at its revision", () => {
    const ended = transition(watching, { kind: "ended" });
    const retried = transition(ended.state, { kind: "retry" });
    expect(retried.effects).toEqual([{ kind: "confirm", revision: 100n }]);
    const overtaken = transition(retried.state, { kind: "confirmed", header: position, same: false });
    expect(overtaken.effects).toEqual([{ kind: "list" }]);
  });

  it("waits longer with each failure in a row, and starts anew once a watch has settled", () => {
    let state: WatchState = listing;
    const failures = Array.from({ length: 3 }, () => {
      const waiting = transition(state, { kind: "failed" });
      state = transition(waiting.state, { kind: "retry" }).state;
      return failuresOf(waiting.effects);
    });
    expect(failures).toEqual([1, 2, 3]);

    expect(failuresOf(transition(watching, { kind: "ended" }).effects)).toBe(3);
    const settled = transition(watching, { kind: "settled" });
    expect(failuresOf(transition(settled.state, { kind: "ended" }).effects)).toBe(1);
  });
});

/** What is asked when a stream has ended, and the cluster is confirmed to be the same. */
function reopened(state: WatchState): readonly WatchEffect[] {
  const ended = transition(state, { kind: "ended" });
  const retried = transition(ended.state, { kind: "retry" });
  const header = { ...position, revision: 2_500n };
  return transition(retried.state, { kind: "confirmed", header, same: true }).effects;
}

function failuresOf(effects: readonly WatchEffect[]): number | undefined {
  return effects.flatMap((effect) => (effect.kind === "retry" ? [effect.failures] : []))[0];
}

function row(...cells: readonly string[]): string {
  return cells.join(" | ");
}

function drawnRows(): string[] {
  const source = readFileSync(new URL("./watch-machine.ts", import.meta.url), "utf8");
  const rows = [...source.matchAll(/^ \* \|(.*)\|$/gm)].map(([, cells = ""]) =>
    row(...cells.split("|").map((cell) => cell.trim())),
  );
  return rows.slice(2); // the heading and its rule
}
