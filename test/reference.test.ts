/**
 * The reference says what the code says. Tables of options and help texts are copied out of the code; when they change,
 * `npx vitest run test/reference.test.ts -u` writes them into the pages.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { publicOptions } from "./support/public-options.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const read = (file: string) => readFileSync(join(root, file), "utf8");

/** The text from a heading to the next one of the same or a higher level. */
function section(page: string, level: number, title: string): string | undefined {
  const rest = `\n${page}`.split(`\n${"#".repeat(level)} ${title}\n`)[1];
  return rest?.split(new RegExp(`\n#{1,${level}} `))[0];
}

function titles(page: string, level: number): string[] {
  return [...page.matchAll(new RegExp(`^#{${level}} (.*)$`, "gm"))].map(([, title = ""]) => title);
}

/** `page` with what `pattern` finds in a section replaced. */
function replacedIn(page: string, title: string, pattern: RegExp, text: string): string {
  const old = section(page, 2, title);
  if (old === undefined) throw new Error(`there is no section "## ${title}"`);
  if (!pattern.test(old)) throw new Error(`the section "## ${title}" has no place for\n${text}`);
  return page.replace(`\n## ${title}\n${old}`, () => `\n## ${title}\n${old.replace(pattern, () => text)}`);
}

test("errors.md explains every error code and no other", () => {
  const codes = [...read("src/errors.ts").matchAll(/^ {2}\| "([A-Z_]+)"/gm)].map(([, code]) => code);
  expect(codes.length).toBeGreaterThan(0);
  expect(titles(read("docs/reference/errors.md"), 2).sort()).toEqual(codes.sort());
});

test("events.md lists every channel, with every field of its message", () => {
  const source = read("src/observe/events.ts");
  const page = read("docs/reference/events.md");
  const channels = [...source.matchAll(/channel\("([^"]+)"\)/g)].map(([, name = ""]) => name);
  expect(titles(page, 3).sort()).toEqual(channels.sort());
  for (const channel of channels) {
    const message = new RegExp(`interface ${messageOf(channel)} \\{([\\s\\S]*?)^\\}`, "m").exec(source)?.[1] ?? "";
    const fields = [...message.matchAll(/readonly (\w+)\??:/g)].map(([, field = ""]) => field);
    expect(fields.length).toBeGreaterThan(0);
    for (const field of fields) expect(section(page, 3, channel)).toContain(`| \`${field}\` |`);
  }
});

test("events.md shows log lines that the source writes", () => {
  const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .map((file) => read(join("src", file)))
    .join("\n");
  const rows = section(read("docs/reference/events.md"), 2, "Log lines")?.match(/^\| `.*$/gm) ?? [];
  const lines = rows.flatMap((row) => [...row.matchAll(/`([^`]+)`/g)].map(([, line = ""]) => line));
  // What stands between the placeholders, without the punctuation that belongs to them.
  const phrases = lines
    .flatMap((line) => line.split(/<[^>]+>|…|"/))
    .map((text) => text.replace(/^[\s:;,]+|[\s:;,]+$/g, ""));
  expect(phrases.length).toBeGreaterThan(0);
  expect(phrases.filter((phrase) => !sources.includes(phrase))).toEqual([]);
});

/** `rollcall:mass-deletion` carries a `MassDeletionEvent`. */
function messageOf(channel: string): string {
  const words = channel.slice(channel.indexOf(":") + 1).split("-");
  return `${words.map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`).join("")}Event`;
}

describe("options.md", () => {
  const all = publicOptions(root);
  const file = "docs/reference/options.md";

  test("has a section for every options interface that can be imported, and no other", () => {
    expect(all.length).toBeGreaterThan(0);
    const sections = titles(read(file), 2).filter((title) => title.endsWith("Options"));
    expect(sections.sort()).toEqual(all.map(({ name }) => name).sort());
  });

  test("tells of every option what the source does", async () => {
    expect(all.flatMap(({ unexplained }) => unexplained)).toEqual([]);
    const table = /^\|[^\n]*\n(?:\|[^\n]*\n)*/m;
    const page = all.reduce((text, options) => replacedIn(text, options.name, table, options.table), read(file));
    await expect(page).toMatchFileSnapshot(join(root, file));
  });
});

describe("cli.md", () => {
  const file = "docs/reference/cli.md";
  const verbs = readdirSync(join(root, "src/cli/commands"))
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => name.replace(/\.ts$/, ""));

  test("has a section for every verb", () => {
    const sections = titles(read(file), 2).filter((title) => title.startsWith("rollcall "));
    expect(sections.map((title) => title.replace("rollcall ", "")).sort()).toEqual(verbs.sort());
  });

  test("shows each verb's help text word for word", async () => {
    const help = /^```text\n[\s\S]*?^```$/m;
    const page = verbs.reduce(
      (text, verb) => replacedIn(text, `rollcall ${verb}`, help, `\`\`\`text\n${helpOf(verb)}\`\`\``),
      read(file),
    );
    await expect(page).toMatchFileSnapshot(join(root, file));
  });
});

function helpOf(verb: string): string {
  const main = join(root, "dist/src/cli/main.js");
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, verb, "--help"], { encoding: "utf8" });
  if (status !== 0) throw new Error(`rollcall ${verb} --help ended with ${status}: ${stderr}`);
  return stdout;
}

test("ARCHITECTURE.md gives a reason for every dependency, and for no other", () => {
  const { dependencies, peerDependencies, devDependencies } = JSON.parse(read("package.json")) as {
    readonly [kind: string]: Readonly<Record<string, string>>;
  };
  const given = section(read("ARCHITECTURE.md"), 2, "Dependencies") ?? "";
  const explained = [...given.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name = ""]) => name);
  const used = new Set(Object.keys({ ...dependencies, ...peerDependencies, ...devDependencies }));
  expect(explained.sort()).toEqual([...used].sort());
});

test("ARCHITECTURE.md says what every folder of src is for", () => {
  const folders = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const given = section(read("ARCHITECTURE.md"), 2, "The folders") ?? "";
  expect(folders.map(({ name }) => `src/${name}/`).filter((folder) => !given.includes(`| \`${folder}\` |`))).toEqual(
    [],
  );
});

test("the README's client is at most 15 lines, its server at most 5 beside imports and implementation", () => {
  const [, server = "", client = ""] =
    /```ts server\n([\s\S]*?)```[\s\S]*?```ts run\n([\s\S]*?)```/.exec(read("README.md")) ?? [];
  const lines = (code: string) => code.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("//"));
  const main = server.replace(/^const book:[\s\S]*?^};$/m, "");
  expect(lines(main).filter((line) => !line.startsWith("import ")).length).toBeLessThanOrEqual(5);
  expect(lines(client).length).toBeLessThanOrEqual(15);
});
