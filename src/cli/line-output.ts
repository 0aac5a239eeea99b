/**
 * Lines to stdout, whoever reads them: a terminal, a file, a program that reads slowly or one that has gone.
 *
 * A slow reader holds the writer back: results wait (`write`), and of views that replace each other only the newest is kept
 * (`writeNewest`). A reader that has gone (EPIPE, as `| head -1` makes it) is no error: nothing more is written, and `gone`
 * tells those verbs that write for it alone that they may end.
 */
import { once } from "node:events";
import type { Writable } from "node:stream";

// Ample for a reader that reads at all, and short beside the 3 s in which a verb promises to be gone.
const FLUSH_MS = 500;

export class LineOutput {
  readonly #stream: Writable & { readonly isTTY?: boolean };
  readonly #gone = new AbortController();
  #newest: string | undefined;

  constructor(stream: Writable & { readonly isTTY?: boolean }) {
    this.#stream = stream;
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") process.stderr.write(`rollcall: stdout cannot be written: ${error.message}\n`);
      this.#gone.abort();
    });
    stream.on("drain", () => {
      const newest = this.#newest;
      this.#newest = undefined;
      if (newest !== undefined) stream.write(newest);
    });
  }

  /** Aborts when nobody reads any more. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY === true;
  }

  /** Resolves when there is room for more, at once as a rule. */
  async write(text: string): Promise<void> {
    if (this.gone.aborted || this.#stream.write(`${text}\n`)) return;
    await once(this.#stream, "drain", { signal: this.gone }).catch(() => {}); // gone
  }

  /** While there is no room, what is written replaces what waited to be written. */
  writeNewest(text: string): void {
    if (this.gone.aborted) return;
    if (this.#stream.writableNeedDrain) this.#newest = `${text}\n`;
    else this.#stream.write(`${text}\n`);
  }

  /** For whoever was told to end: gives the reader a moment to take what is left, and takes one that does not for gone. */
  async flush(): Promise<void> {
    if (this.gone.aborted || this.#stream.writableLength === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#gone.abort();
        resolve();
      }, FLUSH_MS);
      this.#stream.write("", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
