/** A discrete-event simulator around the shipped client, to choose a balancer by. */
export type { SimulatedClient } from "./connection.js";
export type { Latency } from "./latency.js";
export { parseScenario } from "./parse-scenario.js";
export { type Plotted, plot } from "./plot.js";
export type { RecordedAttempt, RecordedCall, Recording } from "./recording.js";
export { type ClientUnderTest, simulate } from "./run.js";
export {
  type Condition,
  callsOf,
  type DescribedServer,
  MOST_CALLS,
  type Phase,
  type Scenario,
  type ServerGroup,
  serversOf,
} from "./scenario.js";
export { scenarioNamed, scenarios } from "./scenarios.js";
export { latenciesOf, percentile, type Summary, summarize } from "./summary.js";
