/**
 * What every registry does, as tests: the contract in `registry/registry.ts`, run over an implementation.
 *
 * The test framework is passed in (`registryContract({ describe, it }, …)` with vitest's or node:test's), so that importing
 * `rollcall/testing` loads none.
 */
import assert from "node:assert/strict";
import type { Instance, Membership, NewInstance } from "../instance.js";
import { firstMatch } from "../live.js";
import type { Instancer, Registration, Registry } from "../registry/registry.js";

// Ample on a busy machine; a contract is not about speed.
const PATIENCE_MS = 15_000;

/** The two functions that vitest, jest, mocha and node:test have in common. */
export interface TestFramework {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly it: TestFunction & { readonly skip: TestFunction };
}

type TestFunction = (name: string, body: () => Promise<void>) => unknown;

export interface RegistryUnderTest {
  readonly name: string;
  /** Opens a registry in which exactly `present` is registered. */
  open(present: Readonly<Record<string, readonly NewInstance[]>>): Promise<OpenRegistry>;
  /** Set where `register()` is refused: why. The tests that need it are left out, with this reason in their name. */
  readonly takesNoRegistrations?: string;
}

export interface OpenRegistry {
  readonly registry: Registry;
  /** The same truth as another process sees it; the registry itself where there is but one. */
  readonly peer: Registry;
  /** Ends everything that `open` began. */
  close(): Promise<void>;
}

export function registryContract({ describe, it }: TestFramework, subject: RegistryUnderTest): void {
  const using = async (
    present: Parameters<RegistryUnderTest["open"]>[0],
    body: (open: OpenRegistry) => Promise<void>,
  ) => {
    const open = await subject.open(present);
    try {
      await body(open);
    } finally {
      await open.close();
    }
  };
  const whenRegistering = (name: string, body: () => Promise<void>) => {
    if (subject.takesNoRegistrations === undefined) it(name, body);
    else it.skip(`${name} (${subject.takesNoRegistrations})`, body);
  };

  describe(`the registry contract: ${subject.name}`, () => {
    it("shows everybody who is present, sorted by id, with what they say of themselves", () =>
      using({ book: [{ address: "10.0.0.2:80" }, { address: "10.0.0.1:80", weight: 2, zone: "a" }] }, async (open) => {
        const view = await shows(open.registry.instancer("book"), ["10.0.0.1:80", "10.0.0.2:80"]);
        assert.ok(view.instances.every(({ id }, index, all) => index === 0 || (all[index - 1]?.id ?? "") < id));
        const [first, second] = view.instances;
        assert.equal(first?.weight, 2);
        assert.equal(first?.zone, "a");
        assert.deepEqual(second, { id: second?.id, address: "10.0.0.2:80" });
        assert.deepEqual(view.retained, []);
      }));

    it("is live also when nobody is registered", () =>
      using({}, async ({ registry }) => {
        await shows(registry.instancer("nobody"), []);
      }));

    it("never shows a service whose name only begins the same", () =>
      using({ book: [{ address: "10.0.0.1:80" }], bookstore: [{ address: "10.0.0.2:80" }] }, async ({ registry }) => {
        await shows(registry.instancer("book"), ["10.0.0.1:80"]);
        await shows(registry.instancer("bookstore"), ["10.0.0.2:80"]);
      }));

    it("shows whoever subscribes late what holds now, at once", () =>
      using({ book: [{ address: "10.0.0.1:80" }] }, async ({ registry }) => {
        const instancer = registry.instancer("book");
        const view = await shows(instancer, ["10.0.0.1:80"]);
        let seen: Membership | undefined;
        instancer
          .subscribe((membership) => {
            seen = membership;
          })
          [Symbol.dispose]();
        assert.equal(seen, view);
        assert.equal(instancer.skipped.size, 0);
      }));

    it("gives each its own handle: closing one ends no other, twice does nothing", () =>
      using({ book: [{ address: "10.0.0.1:80" }] }, async ({ registry }) => {
        const [one, other] = [registry.instancer("book"), registry.instancer("book")];
        assert.equal(one.service, "book");
        await one.close();
        await one.close();
        await shows(other, ["10.0.0.1:80"]);
      }));

    it("refuses names that no key could hold", () =>
      using({}, async ({ registry }) => {
        for (const service of ["", "a/b", "a b"]) {
          assert.throws(() => registry.instancer(service), { code: "INVALID_ARGUMENT" });
          await assert.rejects(registry.register(service, { address: "10.0.0.1:80" }), { code: "INVALID_ARGUMENT" });
        }
      }));

    it("can be closed twice, and is then of no more use", () =>
      using({}, async ({ registry }) => {
        await registry.close();
        await registry.close();
        assert.throws(() => registry.instancer("book"), { code: "CLOSED" });
      }));

    whenRegistering("shows a registration to others, and its end", () =>
      using({}, async ({ registry, peer }) => {
        const instancer = peer.instancer("book");
        await shows(instancer, []);
        const registration = await registry.register("book", { address: "10.0.0.1:80" });
        assert.equal(registration.current.state, "registered");
        const view = await shows(instancer, ["10.0.0.1:80"]);
        assert.deepEqual(view.instances, [registration.instance]);
        await registration.close();
        await registration.close();
        assert.equal(registration.current.state, "closed");
        await shows(instancer, []);
      }),
    );

    whenRegistering("updates in place, and never lets a revision go back", () =>
      using({}, async ({ registry, peer }) => {
        const instancer = peer.instancer("book");
        const views: Membership[] = [];
        instancer.subscribe((membership) => void views.push(membership));
        const registration = await registry.register("book", { address: "10.0.0.1:80", metadata: { rack: "1" } });
        await shows(instancer, ["10.0.0.1:80"]);
        await registration.update({ weight: 5, metadata: { rack: "2" } });
        await shows(instancer, ["10.0.0.1:80"], ([instance]) => instance?.weight === 5);
        const last = views.at(-1);
        assert.ok(last?.state === "live" && last.instances[0]?.metadata?.rack === "2");
        const revisions = views.flatMap((view) => (view.state === "pending" ? [] : [view.revision]));
        assert.ok(revisions.every((revision, index) => index === 0 || (revisions[index - 1] ?? 0n) <= revision));
        assert.ok(views.every((view) => view.state === "pending" || view.instances.length <= 1));
        assert.equal(registration.current.state, "registered");
      }),
    );

    whenRegistering("refuses what others could not use, and writes nothing", () =>
      using({}, async ({ registry, peer }) => {
        const unusable: readonly NewInstance[] = [
          { address: "10.0.0.1" },
          { address: "0.0.0.0:80" },
          { address: "[::]:80" },
          { address: "10.0.0.1:80", weight: 0 },
        ];
        for (const instance of unusable) {
          await assert.rejects(registry.register("book", instance), { code: "INVALID_ARGUMENT" });
        }
        const registration = await registry.register("book", { address: "10.0.0.1:80" });
        await assert.rejects(registration.update({ weight: -1 }), { code: "INVALID_ARGUMENT" });
        const view = await shows(peer.instancer("book"), ["10.0.0.1:80"]);
        assert.equal(view.instances[0]?.weight, undefined);
      }),
    );

    whenRegistering("registers nothing when the signal has aborted", () =>
      using({}, async ({ registry, peer }) => {
        const signal = AbortSignal.abort(new Error("too late"));
        await assert.rejects(registry.register("book", { address: "10.0.0.1:80" }, { signal }), /too late/);
        await shows(peer.instancer("book"), []);
      }),
    );

    whenRegistering("lets a restarted server take its key over, and the old one wait for it", () =>
      using({}, async ({ registry, peer }) => {
        const old = await registry.register("book", { address: "10.0.0.1:80", version: "1" });
        const restarted = await peer.register("book", { address: "10.0.0.1:80", version: "2" });
        await reaches(old, "superseded");
        assert.ok(old.current.by);
        const instancer = registry.instancer("book");
        await shows(instancer, ["10.0.0.1:80"], ([instance]) => instance?.version === "2");
        await restarted.close();
        await reaches(old, "registered");
        await shows(instancer, ["10.0.0.1:80"], ([instance]) => instance?.version === "1");
      }),
    );

    whenRegistering("leaves the key to the one that took it over when the old one is closed", () =>
      using({}, async ({ registry, peer }) => {
        const old = await registry.register("book", { address: "10.0.0.1:80", version: "1" });
        await peer.register("book", { address: "10.0.0.1:80", version: "2" });
        await old.close();
        await shows(registry.instancer("book"), ["10.0.0.1:80"], ([instance]) => instance?.version === "2");
      }),
    );

    whenRegistering("publishes the last view of a burst", () =>
      using({}, async ({ registry, peer }) => {
        const instancer = peer.instancer("book");
        const addresses = Array.from({ length: 20 }, (_, index) => `10.0.0.${index + 10}:80`);
        const registrations = await Promise.all(addresses.map((address) => registry.register("book", { address })));
        await shows(instancer, addresses);
        await Promise.all(registrations.slice(1).map((registration) => registration.close()));
        await shows(instancer, addresses.slice(0, 1));
      }),
    );

    whenRegistering("tells a closed handle nothing more", () =>
      using({}, async ({ registry, peer }) => {
        const [closed, open] = [peer.instancer("book"), peer.instancer("book")];
        await shows(closed, []);
        let told = 0;
        closed.subscribe(() => {
          told += 1;
        });
        await closed.close();
        await registry.register("book", { address: "10.0.0.1:80" });
        await shows(open, ["10.0.0.1:80"]);
        assert.equal(told, 1);
      }),
    );

    whenRegistering("deregisters what is left when it is closed", () =>
      using({}, async ({ registry, peer }) => {
        const registration = await registry.register("book", { address: "10.0.0.1:80" });
        const instancer = peer.instancer("book");
        await shows(instancer, ["10.0.0.1:80"]);
        await registry.close();
        assert.equal(registration.current.state, "closed");
        // Where there is no other process, the watch has ended with the registry.
        if (registry !== peer) await shows(instancer, []);
      }),
    );
  });
}

type LiveView = Extract<Membership, { readonly state: "live" }>;

/** Waits for a live view of exactly these addresses that `accept` takes. */
async function shows(
  instancer: Instancer,
  addresses: readonly string[],
  accept: (instances: readonly Instance[]) => boolean = () => true,
): Promise<LiveView> {
  const wanted = [...addresses].sort().join();
  const matches = (view: Membership): view is LiveView =>
    view.state === "live" &&
    view.instances
      .map(({ address }) => address)
      .sort()
      .join() === wanted &&
    accept(view.instances);
  try {
    return await firstMatch(instancer, matches, AbortSignal.timeout(PATIENCE_MS));
  } catch {
    return assert.fail(`expected a live view of [${wanted}], got ${inspectView(instancer.current)}`);
  }
}

async function reaches(registration: Registration, state: Registration["current"]["state"]): Promise<void> {
  await firstMatch(registration, (status) => status.state === state, AbortSignal.timeout(PATIENCE_MS)).catch(() =>
    assert.fail(`expected the registration to become ${state}, it is ${registration.current.state}`),
  );
}

function inspectView(view: Membership): string {
  return view.state === "pending"
    ? "pending"
    : `${view.state} [${view.instances.map(({ address }) => address).join()}]`;
}
