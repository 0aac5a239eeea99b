/** docs/reference/failure-modes.md tells of forty faults, and each of its rows names the files whose tests provoke the fault. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const rows = Array.from({ length: 40 }, (_, index) => index + 1);

const page = readFileSync(join(root, "docs/reference/failure-modes.md"), "utf8");
/** Of each row of the page: the files that its last cell names. */
const named = new Map(
  [...page.matchAll(/^\| (\d+) \|(.*)\|$/gm)].map(([, row = "", cells = ""]) => {
    const files =
      cells
        .split("|")
        .at(-1)
        ?.matchAll(/`([\w./-]+)`/g) ?? [];
    return [Number(row), [...files].map(([, file = ""]) => file).sort()] as const;
  }),
);

/** Of each row: the files with a test whose title begins with its number. */
const proven = new Map<number, string[]>(rows.map((row) => [row, []]));
for (const file of ["src", "test"].flatMap(testsUnder)) {
  const titles = readFileSync(join(root, file), "utf8").matchAll(/[[(]\s*["`](\d{1,2}): \S/g);
  for (const row of new Set([...titles].map(([, number]) => Number(number)))) proven.get(row)?.push(file);
}

function testsUnder(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => join(folder, file))
    .sort();
}

test("every fault of the catalogue has a row", () => {
  expect([...named.keys()].sort((a, b) => a - b)).toEqual(rows);
});

test.each(rows)("row %i names the tests that provoke it, and there are some", (row) => {
  expect(proven.get(row)).not.toEqual([]);
  expect(named.get(row)).toEqual(proven.get(row));
});
