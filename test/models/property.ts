/**
 * How the properties of this folder run: the same cases every time, so that a failure is never somebody else's luck, and
 * others on demand. The environment variables are described in CONTRIBUTING.md.
 */
import fc from "fast-check";

const SEED = 20_261;

/** Of one test, for `describe`: ample on a busy machine, and none for a soak. */
export const timeout = process.env.ROLLCALL_MODEL_RUNS === undefined ? 300_000 : 0;

/** Runs `property` on `runs` cases; a failure prints the seed and the path that replay it. */
export async function hold<Ts>(property: fc.IAsyncProperty<Ts> | fc.IProperty<Ts>, runs: number): Promise<void> {
  const { ROLLCALL_MODEL_RUNS: more, ROLLCALL_MODEL_SEED: seed, ROLLCALL_MODEL_PATH: path } = process.env;
  await fc.assert(property as fc.IAsyncProperty<Ts>, {
    numRuns: more === undefined ? runs : Number(more),
    seed: seed === undefined ? SEED : Number(seed),
    ...(path !== undefined && { path, endOnFailure: true }),
    reporter,
  });
}

function reporter<Ts>(details: fc.RunDetails<Ts>): void {
  if (!details.failed) return;
  const { seed, counterexamplePath, numShrinks, numRuns } = details;
  const replay = `ROLLCALL_MODEL_SEED=${seed} ROLLCALL_MODEL_PATH=${counterexamplePath ?? ""} npx vitest run <this file> -t <this test>`;
  const schedule = fc.stringify(details.counterexample);
  const message = `failed after ${numRuns} runs, shrunk ${numShrinks} times.\nReplay: ${replay}\nSchedule: ${schedule}`;
  throw new Error(message, { cause: details.errorInstance });
}
