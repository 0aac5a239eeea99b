/** What came out, for people and for programs. */
import { type Plotted, type Scenario, serversOf } from "../../simulate/index.js";
import { json } from "../ndjson.js";
import { type Paint, table } from "../table.js";

/** A headline, then a row for each strategy. Latencies are in milliseconds. */
export function reportTable(
  { name, description, durationMs, rate }: Scenario,
  results: readonly Plotted[],
  seeds: readonly number[],
  paint: Paint,
): string {
  const [first = 1, last = first] = [seeds[0], seeds.at(-1)];
  const of = seeds.length === 1 ? `seed ${first}` : `seeds ${first} to ${last}`;
  const headline = `${name}: ${description}; ${rate} calls/s for ${durationMs / 1_000} s, ${of}`;
  const rows = results.map(({ name: strategy, summary }) => {
    const { calls, failed, attempts, faulty, whileFaulty, latencyMs } = summary;
    const { mean, p50, p90, p99, p999, max } = latencyMs;
    return [
      strategy,
      percent(failed, calls),
      (attempts / calls).toFixed(3),
      whileFaulty === 0 ? "" : percent(faulty, whileFaulty),
      ...[mean, p50, p90, p99, p999, max].map((ms) => (Number.isNaN(ms) ? "" : ms.toFixed(ms < 10 ? 1 : 0))),
    ];
  });
  return [headline, "", ...table(header, rows, paint)].join("\n");
}

/** A row for each strategy and server: how many attempts it got, and which share of all. */
export function serversTable(scenario: Scenario, results: readonly Plotted[], paint: Paint): string {
  const servers = serversOf(scenario);
  const rows = results.flatMap(({ name: strategy, summary: { attempts, byServer } }) =>
    servers.map(({ name }, place) => {
      const got = byServer[place] ?? 0;
      return [strategy, name, `${got}`, percent(got, attempts)];
    }),
  );
  return table(["STRATEGY", "SERVER", "ATTEMPTS", "SHARE %"], rows, paint).join("\n");
}

const header = ["STRATEGY", "FAILED %", "ATTEMPTS", "TO FAULTY %", "MEAN MS", "P50", "P90", "P99", "P99.9", "MAX"];

/** One line for each strategy. */
export function reportJson(scenario: Scenario, { name, summary }: Plotted, seeds: readonly number[]): string {
  const { byServer, latencyMs, ...figures } = summary;
  const rounded = Object.fromEntries(Object.entries(latencyMs).map(([at, ms]) => [at, Math.round(ms * 1_000) / 1_000]));
  const servers = serversOf(scenario).map((server, place) => ({
    name: server.name,
    address: server.address,
    attempts: byServer[place] ?? 0,
  }));
  return json({ scenario: scenario.name, strategy: name, seeds, ...figures, latencyMs: rounded, servers });
}

function percent(part: number, whole: number): string {
  return (whole === 0 ? 0 : (part / whole) * 100).toFixed(3);
}
