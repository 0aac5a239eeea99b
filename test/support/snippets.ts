/**
 * The code blocks of a page of documentation, and what each of them asks for.
 *
 * ```ts            type-checked
 * ```ts run        type-checked and run; has to end with exit code 0
 * ```ts server     type-checked, started, and waited for until it is registered; SIGTERM ends it, and then it is registered
 *                  no more
 * ```sh run        run by bash, which stops at the first line that fails; has to end with exit code 0
 * ```sh server 3   the same for three servers, started by one block; without a number it is one
 * ```sh background started and left running, until the next such block on the same machine
 * ```text output   what the block before it has to have printed, line by line, `…` standing for anything
 *
 * A TypeScript block whose first line is `// name.ts` is a file of that name, and so is a YAML block with `# name.yaml`. Of a
 * block with `// name.proto` the page has `name_pb.ts`, as every page has `book_pb.ts`. The blocks of one page share a
 * folder, so that one can import another and `node name.js` runs it. On a page about several
 * machines `machine-1` or `every-machine` says where a block is run: each machine has a folder of its own. Blocks of other
 * languages, and `sh` without a word, are only shown.
 */
export interface Snippet {
  /** `docs/guides/x.md:12`. */
  readonly at: string;
  readonly language: string;
  readonly mode: "shown" | "run" | "server" | "background" | "output";
  readonly name: string;
  readonly code: string;
  /** Where it is run: none is the page's own folder. */
  readonly machine: string | undefined;
  /** How many servers it starts. */
  readonly servers: number;
}

const modes = ["run", "server", "background", "output"] as const;

export function snippetsOf(file: string, markdown: string): Snippet[] {
  const found: Snippet[] = [];
  const fence = /^```(\w+)?([^\n]*)\n([\s\S]*?)^```$/gm;
  for (const match of markdown.matchAll(fence)) {
    const [, language = "", info = "", code = ""] = match;
    const words = info.trim().split(/\s+/).filter(Boolean);
    const line = markdown.slice(0, match.index).split("\n").length;
    found.push({
      at: `${file}:${line}`,
      language,
      mode: modes.find((each) => words.includes(each)) ?? "shown",
      name: /^(?:\/\/|#) ([\w.-]+\.(?:ts|yaml|proto))\b/.exec(code)?.[1] ?? `snippet-${found.length + 1}.ts`,
      code,
      machine: words.find((word) => /^(machine-\d|every-machine)$/.test(word)),
      servers: Number(words.find((word) => /^\d+$/.test(word)) ?? 1),
    });
  }
  return found;
}

/** Whether `printed` holds the expected lines in order, anything between them, `…` matching any text within a line. */
export function printedAsShown(printed: string, expected: string): boolean {
  const lines = printed.split("\n");
  let next = 0;
  return expected
    .trimEnd()
    .split("\n")
    .every((wanted) => {
      const pattern = new RegExp(`^${wanted.split("…").map(escaped).join(".*")}$`);
      while (next < lines.length) {
        next += 1;
        if (pattern.test((lines[next - 1] ?? "").trimEnd())) return true;
      }
      return false;
    });
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").trimEnd();
}
