/** The ways of balancing that are compared, each under its name. */
import { balancerNamed } from "../../index.js";
import {
  type ClientUnderTest,
  latenciesOf,
  type Plotted,
  type Recording,
  type Scenario,
  simulate,
  summarize,
} from "../../simulate/index.js";
import { UsageError } from "../usage-error.js";

export interface Contender extends ClientUnderTest {
  readonly name: string;
}

/** `round-robin,random` */
export function contendersNamed(text: string): readonly Contender[] {
  const names = text.split(",");
  if (names.includes("")) throw new UsageError(`a name is missing in "${text}": write e.g. round-robin,random`);
  const twice = names.find((name, place) => names.indexOf(name) < place);
  if (twice !== undefined) throw new UsageError(`"${twice}" is named twice: name it once`);
  return names.map((name) => ({ name, ...balancerNamed(name) }));
}

export async function runContender(
  { name, ...underTest }: Contender,
  scenario: Scenario,
  seeds: readonly number[],
): Promise<Plotted> {
  const recordings: Recording[] = [];
  for (const seed of seeds) recordings.push(await simulate(scenario, underTest, seed));
  return { name, summary: summarize(recordings), latenciesMs: latenciesOf(recordings) };
}
