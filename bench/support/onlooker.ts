/**
 * The measured process of the scale bench: `node --expose-gc onlooker.js <endpoint> <warm-up service> <service>`. It tells
 * its parent of the first view, and then of every other.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { etcd } from "rollcall/etcd";

const WARM_UPS = 5;
/** So that what the look before held is let go, and does not hide what this one takes. */
const SETTLE_MS = 500;

export type Word =
  | { readonly kind: "first"; readonly instances: number; readonly tookMs: number; readonly heapBytes: number }
  | { readonly kind: "next"; readonly revision: bigint; readonly atNs: bigint };

const [endpoint = "", warmUpService = "", service = ""] = process.argv.slice(2);

for (let warmUp = 0; warmUp < WARM_UPS; warmUp += 1) await look(warmUpService, async () => {});

await look(service, ({ instances, tookMs, heapBytes, follow }) => {
  say({ kind: "first", instances, tookMs, heapBytes });
  return follow((revision) => say({ kind: "next", revision, atNs: process.hrtime.bigint() }));
});

interface Look {
  readonly instances: number;
  readonly tookMs: number;
  readonly heapBytes: number;
  /** Never ends. */
  follow(observer: (revision: bigint) => void): Promise<void>;
}

/** Opens a registry of its own, as a program that starts to use a service does, and closes it after `then`. */
async function look(name: string, then: (look: Look) => Promise<void>): Promise<void> {
  await sleep(SETTLE_MS);
  const heapBefore = heapBytes();
  const startedAt = performance.now();
  await using registry = etcd({ endpoints: [endpoint] });
  const instancer = registry.instancer(name);
  const instances = await new Promise<number>((resolve) => {
    instancer.subscribe((view) => {
      if (view.state === "live") resolve(view.instances.length);
    });
  });
  const tookMs = performance.now() - startedAt;
  await then({
    instances,
    tookMs,
    heapBytes: heapBytes() - heapBefore,
    follow: (observer) =>
      new Promise(() => {
        instancer.subscribe((view) => {
          if (view.state === "live") observer(view.revision);
        });
      }),
  });
}

/** What is reachable, the buffers outside of V8's heap included. */
function heapBytes(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function say(word: Word): void {
  process.send?.(word);
}
