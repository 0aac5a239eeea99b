/**
 * `npm run compare:etcd3`: rollcall and npm's etcd3 under the same faults, in the same laboratory. Prints each verdict as it
 * comes, and writes the table of docs/reference/compared-with-etcd3.md. Arguments are the rows to run; all when there are none,
 * and only then is the page written.
 */
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { registrationScenarios } from "./registration-scenarios.js";
import { judge, type Scenario, type Subject, type Verdict } from "./trial.js";
import { watchScenarios } from "./watch-scenarios.js";

const subjects: readonly Subject[] = [
  { name: "rollcall" },
  { name: "etcd3", program: new URL("etcd3-program.ts", import.meta.url) },
];
/** They wait most of the time; more would make the bounds depend on the machine. */
const AT_A_TIME = 2;

const rows = process.argv.slice(2).map(Number);
const scenarios = [...registrationScenarios, ...watchScenarios]
  .filter(({ row }) => rows.length === 0 || rows.includes(row))
  .sort((a, b) => a.row - b.row);
const verdicts = new Map<Scenario, Map<Subject, Verdict>>(scenarios.map((scenario) => [scenario, new Map()]));

const waiting = scenarios.flatMap((scenario) => subjects.map((subject) => ({ scenario, subject })));
await Promise.all(
  Array.from({ length: AT_A_TIME }, async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { scenario, subject } = next;
      const verdict = await judge(scenario, subject);
      verdicts.get(scenario)?.set(subject, verdict);
      console.log(`${scenario.row}: ${scenario.fault}: ${subject.name}: ${inWords(verdict)}`);
    }
  }),
);

const survived = (subject: Subject) =>
  scenarios.filter((scenario) => verdicts.get(scenario)?.get(subject)?.survived === "yes").length;
for (const subject of subjects) console.log(`${subject.name} survived ${survived(subject)} of ${scenarios.length}`);
if (rows.length === 0)
  await writeFile(new URL("../../../docs/reference/compared-with-etcd3.md", import.meta.url), page());
if (survived(subjects[0] as Subject) < scenarios.length) process.exitCode = 1;

function inWords({ survived, evidence }: Verdict): string {
  return evidence === "" ? survived : `${survived}: ${evidence.split("\n")[0]?.replaceAll("|", "\\|")}`;
}

function page(): string {
  const { version } = JSON.parse(
    readFileSync(new URL("../../../node_modules/etcd3/package.json", import.meta.url), "utf8"),
  ) as { version: string };
  const table = scenarios.map((scenario) => {
    const cells = subjects.map((subject) =>
      inWords(verdicts.get(scenario)?.get(subject) ?? { survived: "no", evidence: "" }),
    );
    return `| ${[scenario.row, scenario.fault, scenario.must, ...cells].join(" | ")} |`;
  });
  return `# Compared with etcd3

\`npm run compare:etcd3\` puts rollcall and npm's \`etcd3\` ${version} under the same faults, on real etcd, and writes this page.

etcd3 is used as its documentation shows, and with care: a lease that is lost is granted anew at once, and each second where that
fails; calls have a deadline, connections are pinged as often as rollcall's, and answers may be longer than gRPC's 4 MiB; a watch
starts behind a list, its disconnections count as knowing that a view is stale, and it starts over with a list when it ends with
an error (\`test/faults/compare/etcd3-program.ts\`). What it has no means for (a snapshot on disk, drain,
certificates that rotate) is not compared. TTL 5 s. "late": it recovered within 30 s, but not in the time that the row gives.

| row of the [catalogue](failure-modes.md) | fault | what must come true | ${subjects.map(({ name }) => name).join(" | ")} |
|---|---|---|---|---|
${table.join("\n")}

Survived: ${subjects.map((subject) => `${subject.name} ${survived(subject)} of ${scenarios.length}`).join(", ")}.
`;
}
