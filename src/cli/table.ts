/** Rows as columns that line up, for people. */
import { styleText } from "node:util";

export type Style = Parameters<typeof styleText>[0];
export type Paint = (style: Style, text: string) => string;

/** Paints where somebody looks who wants to see colours (https://no-color.org). */
export function painter(isTerminal: boolean, environment: Readonly<Record<string, string | undefined>>): Paint {
  const colours = isTerminal && !environment.NO_COLOR && environment.TERM !== "dumb";
  return colours ? (style, text) => styleText(style, text, { validateStream: false }) : (_style, text) => text;
}

/** Columns are as wide as their widest cell; one that is empty in every row is left out. Numbers stand to the right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[], paint: Paint): string[] {
  const columns = header
    .map((title, index) => {
      const cells = rows.map((row) => row[index] ?? "");
      const width = Math.max(title.length, ...cells.map((cell) => cell.length));
      const toRight = cells.every((cell) => /^[\d.,]*$/.test(cell));
      return { title, cells, width, pad: (text: string) => (toRight ? text.padStart(width) : text.padEnd(width)) };
    })
    .filter(({ cells }) => rows.length === 0 || cells.some((cell) => cell !== ""));
  const line = (cellOf: (column: (typeof columns)[number]) => string) =>
    columns
      .map((column) => column.pad(cellOf(column)))
      .join("  ")
      .trimEnd();
  return [
    paint(
      "bold",
      line(({ title }) => title),
    ),
    ...rows.map((_, index) => line(({ cells }) => cells[index] ?? "")),
  ];
}
