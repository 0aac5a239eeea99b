/** Many clients of one registry, in a few processes. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { startProgram } from "../../support/program.js";

export interface CrowdOptions {
  readonly endpoints: readonly string[];
  readonly ttlMs: number;
  readonly size: number;
  /** Default "crowd". */
  readonly service?: string;
  /** Default 4. */
  readonly processes?: number;
}

/** What one process of it is told: its clients are numbered from `first` on. */
export interface CrowdPart extends Required<Omit<CrowdOptions, "processes">> {
  readonly first: number;
}

export interface CrowdReport {
  /** How many are registered. */
  readonly registered: number;
  /** How many have a live view. */
  readonly live: number;
  /** How many instances the smallest of these views has. */
  readonly smallest: number;
}

export interface Crowd extends AsyncDisposable {
  /** The sum over its processes. */
  readonly now: CrowdReport;
  /** Resolves when each is registered and sees all. */
  allWell(withinMs: number): Promise<void>;
}

const program = new URL("crowd-program.ts", import.meta.url);

export function startCrowd({ service = "crowd", processes = 4, ...options }: CrowdOptions): Crowd {
  const size = options.size / processes;
  const parts = Array.from({ length: processes }, (_, index) => {
    const part: CrowdPart = { ...options, service, first: index * size, size };
    const child = startProgram(program, JSON.stringify(part), { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    let report: CrowdReport = { registered: 0, live: 0, smallest: 0 };
    child.on("message", (message) => {
      report = message as CrowdReport; // from our own program
    });
    return { child, exited: once(child, "exit"), report: () => report };
  });

  const now = () => {
    const reports = parts.map(({ report }) => report());
    return {
      registered: reports.reduce((sum, { registered }) => sum + registered, 0),
      live: reports.reduce((sum, { live }) => sum + live, 0),
      smallest: Math.min(...reports.map(({ smallest }) => smallest)),
    };
  };
  const isWell = ({ registered, live, smallest }: CrowdReport) =>
    registered === options.size && live === options.size && smallest === options.size;
  return {
    get now() {
      return now();
    },
    async allWell(withinMs) {
      for (const endMs = performance.now() + withinMs; !isWell(now()); await sleep(50)) {
        if (performance.now() > endMs) throw new Error(`not well within ${withinMs} ms: ${JSON.stringify(now())}`);
      }
    },
    async [Symbol.asyncDispose]() {
      for (const { child } of parts) child.kill("SIGKILL");
      await Promise.all(parts.map(({ exited }) => exited));
    },
  };
}
