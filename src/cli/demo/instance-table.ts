/** The table of instances. Its columns have fixed widths, so that nothing jumps when it is drawn again. */

import type { Paint, Style } from "../table.js";
import type { InstanceCount, ServerChange } from "./events.js";

export interface InstanceRow {
  readonly address: string;
  /** What last happened to its process. */
  readonly change: ServerChange;
  /** Absent until the client has counted something. */
  readonly count: InstanceCount | undefined;
}

const PROCESS: Record<ServerChange, readonly [state: string, style: Style]> = {
  started: ["running", "green"],
  joined: ["running", "green"],
  restarted: ["running", "green"],
  killed: ["killed", "red"],
  draining: ["draining", "yellow"],
  stopped: ["stopped", "yellow"],
};

const ENDPOINT: Record<InstanceCount["endpoint"], Style> = {
  ready: "green",
  connecting: "yellow",
  unready: "red",
  gone: "dim",
};

export function instanceTable(rows: readonly InstanceRow[], paint: Paint): readonly string[] {
  return [
    paint("dim", line("instance", "process", "endpoint", "calls", "errors", "p50 ms", "p99 ms")),
    ...rows.map(row),
  ];

  function row({ address, change, count }: InstanceRow): string {
    const [state, style] = PROCESS[change];
    const { endpoint = "gone", calls = 0, errors = 0, p50Ms = 0, p99Ms = 0 } = count ?? {};
    const milliseconds = (ms: number) => (calls === 0 ? "" : ms.toFixed(1));
    return line(address, state, endpoint, String(calls), String(errors), milliseconds(p50Ms), milliseconds(p99Ms))
      .replace(state, (text) => paint(style, text))
      .replace(endpoint, (text) => paint(ENDPOINT[endpoint], text));
  }
}

function line(address: string, process: string, endpoint: string, ...figures: readonly string[]): string {
  const names = [address.padEnd(21), process.padEnd(9), endpoint.padEnd(11)];
  return [...names, ...figures.map((figure) => figure.padStart(7))].join(" ");
}
