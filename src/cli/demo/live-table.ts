/**
 * Lines, and a table that stays below them: redrawn in place on a terminal that has room for it, left out elsewhere.
 */
import type { WriteStream } from "node:tty";

/** Of the table with its longest addresses; a line that wraps could not be redrawn. */
const LEAST_COLUMNS = 80;
const LEAST_ROWS = 15;
const CLEAR_BELOW = "\u001b[J";
const up = (lines: number) => (lines > 0 ? `\u001b[${lines}A` : "");

/** What a terminal has and another stream has not. */
export type Screen = Pick<WriteStream, "write"> & Partial<Pick<WriteStream, "isTTY" | "columns" | "rows">>;

export class LiveTable {
  readonly #screen: Screen;
  #shown: readonly string[] = [];

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** A line above the table. */
  line(text: string): void {
    this.#draw(`${text}\n`, this.#shown);
  }

  /** Puts these lines in the place of the last ones. */
  show(lines: readonly string[]): void {
    const { isTTY, columns = 0, rows = 0 } = this.#screen;
    if (isTTY && columns >= LEAST_COLUMNS && rows >= LEAST_ROWS) this.#draw("", lines);
  }

  /** Takes it away. */
  clear(): void {
    if (this.#shown.length > 0) this.#draw("", []);
  }

  #draw(above: string, lines: readonly string[]): void {
    const away = this.#shown.length > 0 ? `${up(this.#shown.length)}\r${CLEAR_BELOW}` : "";
    this.#screen.write(away + above + lines.map((line) => `${line}\n`).join(""));
    this.#shown = lines;
  }
}
