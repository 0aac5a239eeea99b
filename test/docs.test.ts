/** The documentation tells the truth: its code compiles and runs, its links lead somewhere. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { removeAfterDeath } from "./support/after-death.js";
import { installTools, startStage } from "./support/docs-stage.js";
import { printedAsShown, snippetsOf } from "./support/snippets.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
// Inside the clone, so that `rollcall` is the package itself; of this process alone, for two runs may go on at once.
const scratch = join(root, ".cache", `snippets-${process.pid}`);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
removeAfterDeath(scratch);

const pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", ...under("docs")].map((file) => {
  const markdown = readFileSync(join(root, file), "utf8");
  const folder = join(scratch, file.replace(/\.md$/, "").replaceAll("/", "-").toLowerCase());
  return { file, markdown, folder, snippets: snippetsOf(file, markdown) };
});

function under(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".md"))
    .map((file) => join(folder, file))
    .sort();
}

describe("what a page names exists", () => {
  test.each(pages)("files and headings that $file links to", ({ file, markdown }) => {
    const prose = markdown.replace(/^```[\s\S]*?^```$/gm, "");
    const broken = [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = ""]) => target)
      .filter((target) => !/^(https?:|mailto:)/.test(target))
      .filter((target) => {
        const [path = "", heading] = target.split("#");
        const to = path === "" ? join(root, file) : join(root, dirname(file), path);
        if (!existsSync(to)) return true;
        return heading !== undefined && !headings(readFileSync(to, "utf8")).includes(heading);
      });
    expect(broken).toEqual([]);
  });

  test.each(pages)("files of the repository in $file", ({ markdown }) => {
    const paths = [...markdown.matchAll(/`((?:src|test|scripts|examples|bench|docs|\.ci)\/[\w./-]*)`/g)];
    expect(paths.map(([, path = ""]) => path).filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  test.each(pages)("npm scripts in $file", ({ markdown }) => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      readonly scripts: Readonly<Record<string, string>>;
    };
    const named = [...markdown.matchAll(/\bnpm run (?:--silent )?([\w:-]+)/g)].map(([, name = ""]) => name);
    expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
  });
});

/** The anchors that a Markdown viewer gives to headings. */
function headings(markdown: string): string[] {
  return [...markdown.matchAll(/^#+\s+(.*)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(" ", "-"),
  );
}

/** Writes `x_pb.ts` beside `x.proto`. */
function generate(folder: string, proto: string): void {
  const opt = ["target=ts", "import_extension=js"];
  const plugin = { local: join(root, "node_modules/.bin/protoc-gen-es"), out: folder, opt };
  const args = ["generate", folder, "--path", join(folder, proto), "--template"];
  const { status, stderr } = spawnSync(
    join(root, "node_modules/.bin/buf"),
    [...args, JSON.stringify({ version: "v2", plugins: [plugin] })],
    { cwd: folder, encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`${proto}: ${stderr}`);
}

describe("snippets", () => {
  const out = (folder: string) => join(scratch, "out", relative(scratch, folder));

  test("in TypeScript compile under the strictest settings", { timeout: 180_000 }, () => {
    for (const { folder, snippets } of pages) {
      const code = snippets.filter(({ language }) => language === "ts");
      mkdirSync(out(folder), { recursive: true });
      if (code.length === 0) continue;
      mkdirSync(folder, { recursive: true });
      cpSync(join(root, "examples/book/book_pb.ts"), join(folder, "book_pb.ts"));
      // A block may begin or end in the middle of a thought; `export {}` makes each a module of its own.
      for (const { name, code: text } of code) writeFileSync(join(folder, name), `${text}\nexport {};\n`);
      for (const { language, name, code: text } of snippets) {
        if (language !== "proto" || !name.endsWith(".proto")) continue;
        writeFileSync(join(folder, name), text);
        generate(folder, name);
      }
    }
    writeFileSync(
      join(scratch, "tsconfig.json"),
      JSON.stringify({
        extends: "../../tsconfig.json",
        compilerOptions: { rootDir: ".", outDir: "out", noUnusedLocals: false, noUnusedParameters: false },
        include: ["**/*.ts"],
        exclude: ["out"],
      }),
    );
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", scratch], { encoding: "utf8" });
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });

  const tools = join(scratch, "tools");
  beforeAll(() => installTools(root, tools), 120_000);

  const runnable = pages.filter(({ snippets }) => snippets.some(({ mode }) => mode === "run"));
  test.each(runnable)("of $file do what the page says", { timeout: 120_000 }, async ({ folder, snippets }) => {
    await using stage = await startStage(root, tools, { snippets, folder: out(folder) });
    for (const { language, name } of snippets) {
      if (language !== "ts") continue;
      const js = join(out(folder), name.replace(/\.ts$/, ".js"));
      writeFileSync(js, stage.localized(readFileSync(js, "utf8")));
    }
    let printed = "";
    for (const snippet of snippets) {
      if (snippet.mode === "background") await stage.background(snippet);
      if (snippet.mode === "server") await stage.serve(snippet);
      if (snippet.mode === "run") printed = await stage.run(snippet);
      if (snippet.mode !== "output") continue;
      const expected = stage.localized(snippet.code);
      if (!printedAsShown(printed, expected)) {
        expect.fail(`${snippet.at} shows\n${expected}\nbut what was printed is\n${printed}`);
      }
    }
    await stage.end();
  });
});
