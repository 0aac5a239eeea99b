/** The program of one seed of a soak, in a process of its own: whatever happens to it, the soak goes on. */
import { generate } from "./generate.js";
import { outcomeOf } from "./outcome.js";
import { run } from "./run.js";
import type { SeedReport } from "./soak-seed.js";
import { timeline } from "./timeline.js";

const schedule = generate(Number(process.argv[2]));
const report = (message: SeedReport) =>
  new Promise<void>((resolve) => {
    process.send?.(message, undefined, {}, () => resolve());
  });
try {
  const recording = await run(schedule);
  const outcome = outcomeOf(schedule, recording);
  await report({ outcome, timeline: timeline(schedule, recording, outcome.violations) });
} catch (error) {
  await report({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}
process.exit();
