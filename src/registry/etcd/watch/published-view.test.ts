/** What a view retains of a mass deletion, and what it says of it. How views are published is tested with the instancers. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Membership } from "../../../instance.js";
import type { MassDeletionEvent } from "../../../observe/events.js";
import { virtualClock } from "../../../testing/virtual-clock.js";
import { goKitLayout } from "../../layouts/go-kit.js";
import { type MassDeletionBrakeOptions, massDeletionRule } from "../../mass-deletion.js";
import type { Change, Entry } from "./position.js";
import { PublishedView } from "./published-view.js";

const CHANNEL = "rollcall:mass-deletion";
const FIVE = ["a", "b", "c", "d", "e"];

const entry = (host: string): Entry => ({
  key: `/services/book/${host}:1`,
  value: new TextEncoder().encode(`${host}:1`),
  modRevision: 1n,
  lease: 7n,
});
const deletion = (host: string): Change => ({ key: `/services/book/${host}:1`, modRevision: 11n });
const hosts = (instances: readonly { readonly address: string }[]) =>
  instances.map(({ address }) => address.split(":")[0]).join();
/** `live 10 a,b + c`: state, revision, instances, and who is retained. */
function summary(view: Membership | undefined): string {
  if (view === undefined || view.state === "pending") return "pending";
  return `${view.state} ${view.revision} ${hosts(view.instances)} + ${hosts(view.retained)}`;
}

it("tells each reason for being stale once, for the first is seldom the one that keeps it so", async () => {
  const clock = virtualClock();
  const logger = { warn: () => {}, info: () => {} };
  const view = new PublishedView(
    { clock, logger, layout: goKitLayout(), massDeletion: massDeletionRule(false) },
    "book",
  );
  view.replaced([entry("a")], { revision: 10n, epoch: 0, clusterId: 7n, raftTerm: 2n });
  const reasons: (string | undefined)[] = [];
  view.membership.subscribe((shown) => reasons.push(shown.state === "stale" ? shown.error.message : undefined));
  view.silent(new Error("connection reset"));
  for (const reason of ["expired", "connection reset", "expired"]) {
    await clock.advance(5_000);
    view.hindered(new Error(reason));
  }
  await clock.advance(5_000);
  expect(reasons).toEqual([undefined, "connection reset", "expired"]);
  view.heard();
  expect(reasons.at(-1)).toBeUndefined();
});

describe("a view under the brake on mass deletion", () => {
  let clock: ReturnType<typeof virtualClock>;
  let warnings: string[];
  let events: MassDeletionEvent[];
  const hear = (message: unknown) => void events.push(message as MassDeletionEvent);

  beforeEach(() => {
    clock = virtualClock();
    warnings = [];
    events = [];
    subscribe(CHANNEL, hear);
  });
  afterEach(() => void unsubscribe(CHANNEL, hear));

  /** A live view of five instances at revision 10. */
  function viewOfFive(options?: MassDeletionBrakeOptions | false) {
    const logger = { warn: (message: string) => void warnings.push(message), info: () => {} };
    const view = new PublishedView(
      { clock, logger, layout: goKitLayout(), massDeletion: massDeletionRule(options) },
      "book",
    );
    const views: Membership[] = [];
    view.membership.subscribe((membership) => views.push(membership));
    const list = (revision: bigint, listed: readonly string[], epoch = 0) =>
      view.replaced(listed.map(entry), { revision, epoch, clusterId: 7n, raftTerm: 2n });
    list(10n, FIVE);
    return { view, views, list, shown: () => summary(view.membership.current) };
  }

  it("shows the instances exactly, and apart from them who vanished, in one view", async () => {
    const { view, views } = viewOfFive();
    await clock.advance(10);
    view.changed([deletion("a")], 11n);
    view.changed(["b", "c"].map(deletion), 13n);
    await clock.advance(10);
    expect(views.slice(1).map(summary)).toEqual(["live 10 a,b,c,d,e + ", "live 11 b,c,d,e + ", "live 13 d,e + a,b,c"]);
  });

  it("tells it in the view, in a line and in an event, when it engages and when it lets go", async () => {
    const { view, shown } = viewOfFive();
    await clock.advance(10);
    view.changed(FIVE.map(deletion), 15n);
    expect(shown()).toBe("live 15  + a,b,c,d,e");
    await clock.advance(10);
    view.changed(["a", "b", "c", "d"].map(entry), 19n);
    expect(shown()).toBe("live 19 a,b,c,d + e");
    await clock.advance(10);
    view.changed([entry("e")], 20n);
    expect(shown()).toBe("live 20 a,b,c,d,e + ");
    expect(warnings).toEqual([
      'the view of "book" lost 5 instances within 10 s, 0 are left; the lost are retained as a last resort for 300 s',
      'the view of "book" retains no lost instance any more: all are registered again',
    ]);
    expect(events).toMatchObject([
      { service: "book", state: "engaged", retained: { length: 5 }, lapsed: 0 },
      { service: "book", state: "released", retained: [], lapsed: 0 },
    ]);
  });

  it("lets go of those who are not back within the grace time, by itself", async () => {
    const { view, shown } = viewOfFive({ graceMs: 60_000 });
    await clock.advance(10);
    view.changed(["a", "b", "c"].map(deletion), 13n);
    await clock.advance(1_000);
    view.changed([entry("a"), deletion("d")], 15n);
    await clock.advance(58_999);
    expect(shown()).toBe("live 15 a,e + b,c,d");
    await clock.advance(1);
    expect(shown()).toBe("live 15 a,e + d");
    await clock.advance(1_000);
    expect(shown()).toBe("live 15 a,e + ");
    expect(warnings.at(-1)).toBe('the view of "book" retains no lost instance any more: 3 were not registered again');
    expect(events.at(-1)).toMatchObject({ state: "released", lapsed: 3 });
    await clock.advance(10);
    expect(clock.pendingTimers).toBe(0);
  });

  it.each([
    ["a rebuilt cluster", 3n, 1],
    ["a list after a compaction", 99n, 0],
  ])("compares %s with what was there before", async (_what, revision, epoch) => {
    const { list, shown } = viewOfFive();
    await clock.advance(10);
    list(revision, ["d"], epoch);
    expect(shown()).toBe(`live ${revision} d + a,b,c,e`);
  });

  it("takes nobody of a first list to have just come", async () => {
    const { view, shown } = viewOfFive();
    await clock.advance(10);
    view.changed(["a", "b"].map(deletion), 12n);
    expect(shown()).toBe("live 12 c,d,e + ");
  });

  it("keeps whom it retains while the registry is not heard, and for what is left of their time afterwards", async () => {
    const { view, shown } = viewOfFive({ graceMs: 60_000 });
    await clock.advance(10);
    view.changed(FIVE.map(deletion), 15n);
    // A registry that is heard for 20 s at a time, and would keep them for ever if each time began a new one.
    for (let outage = 0; outage < 2; outage += 1) {
      await clock.advance(20_000);
      view.silent(new Error("connection refused"));
      await clock.advance(600_000);
      expect(shown()).toBe("stale 15  + a,b,c,d,e");
      view.heard();
    }
    await clock.advance(19_000);
    expect(shown()).toBe("live 15  + a,b,c,d,e");
    await clock.advance(1_000);
    expect(shown()).toBe("live 15  + ");
  });

  it("retains nobody where that is not wanted", async () => {
    const { view, shown } = viewOfFive(false);
    await clock.advance(10);
    view.changed(FIVE.map(deletion), 15n);
    expect(shown()).toBe("live 15  + ");
    expect(warnings).toEqual([]);
  });

  it("leaves no timer behind", async () => {
    const { view, shown } = viewOfFive();
    await clock.advance(10);
    view.changed(FIVE.map(deletion), 15n);
    view.close();
    expect(shown()).toBe("stale 15  + a,b,c,d,e");
    expect(clock.pendingTimers).toBe(0);
  });
});
