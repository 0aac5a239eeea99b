// Lets a child process run the sources: `node --import <this file> program.ts`. Types are dropped, nothing is checked.
import { createHash, randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { register } from "node:module";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";

// Node loads the hooks in a thread of their own, where this file is loaded again.
if (isMainThread) register(import.meta.url);

const cache = new URL("../../.cache/typescript-loader/", import.meta.url);
const { exports } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

export function resolve(specifier, context, next) {
  const built = /^rollcall(?=\/|$)/.test(specifier) && exports[specifier.replace("rollcall", ".")];
  if (built) {
    const source = built.replace("./dist/", "../../").replace(/\.js$/, ".ts");
    return { url: new URL(source, import.meta.url).href, shortCircuit: true };
  }
  if (/^\.{1,2}\/.*\.js$/.test(specifier) && context.parentURL?.endsWith(".ts")) {
    const source = new URL(specifier.replace(/\.js$/, ".ts"), context.parentURL);
    if (existsSync(source)) return { url: source.href, shortCircuit: true };
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.endsWith(".ts")) return next(url, context);
  const text = await readFile(fileURLToPath(url), "utf8");
  const kept = new URL(`${createHash("sha256").update(text).digest("hex")}.js`, cache);
  const source = await readFile(kept, "utf8").catch(() => translate(text, kept));
  return { format: "module", source, shortCircuit: true };
}

/** Keeps what it made: loading the compiler takes a process longer than all else that it does. */
async function translate(text, kept) {
  const { default: typescript } = await import("typescript");
  const { outputText } = typescript.transpileModule(text, {
    compilerOptions: { module: typescript.ModuleKind.ESNext, target: typescript.ScriptTarget.ES2022 },
  });
  const draft = new URL(`${process.pid}-${randomUUID()}`, cache); // another process may be at the same file
  await mkdir(cache, { recursive: true });
  await writeFile(draft, outputText);
  await rename(draft, kept);
  return outputText;
}
