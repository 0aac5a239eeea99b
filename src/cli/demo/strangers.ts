/**
 * Servers that are none of the demo's and are registered as `book` all the same, such as one that was left running and was
 * told to register at 127.0.0.1:2379. The client calls them like any other, and nothing comes out as promised. One that is
 * there before the first call is refused; one that comes later is named in the summary.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { firstMatch, RollcallError } from "../../index.js";
import { etcd } from "../../registry/etcd/index.js";
import { UsageError } from "../usage-error.js";

/** How long the registry may take to answer at first. */
const PATIENCE_MS = 5_000;

/** The addresses that are registered as `book`. */
export async function registeredBooks(endpoints: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
  await using registry = etcd({ endpoints, logger: false });
  const book = registry.instancer("book");
  try {
    const view = await Promise.race([
      firstMatch(book, ({ state }) => state !== "pending", signal),
      sleep(PATIENCE_MS, undefined, { signal, ref: false }),
    ]);
    if (view === undefined || view.state === "pending") {
      throw new RollcallError("REGISTRY_UNAVAILABLE", `etcd does not answer at ${endpoints.join(", ")}`);
    }
    return view.instances.map(({ address }) => address);
  } finally {
    await book.close();
  }
}

/** Called when `own` are registered. */
export async function refuseStrangers(
  own: ReadonlySet<string>,
  endpoints: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const strangers = strangersAmong(await registeredBooks(endpoints, signal), own);
  if (strangers.length === 0) return;
  throw new UsageError(
    `${strangers.join(", ")} registered as "book" at ${endpoints.join(", ")} too, and is no server of this demo: it was ` +
      "told to register there and is still running; end it, and play again",
  );
}

export function strangersAmong(seen: Iterable<string>, own: ReadonlySet<string>): readonly string[] {
  return [...seen].filter((address) => !own.has(address));
}
