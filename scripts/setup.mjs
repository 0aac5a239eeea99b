// Makes a fresh clone ready: npm packages as the lock file says, then the build. Does nothing when both are up to date.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");

// What the build reads: a change in any of it makes dist out of date.
const sources = ["src", "examples", "bench", "package.json", "tsconfig.json", "tsconfig.build.json"];
const builtStamp = join(root, "dist", ".built");
const lock = join(root, ".cache", "setup.lock");

/** Installs and builds what is missing or out of date; says so on stderr only, since stdout may be somebody's NDJSON. */
export async function setup() {
  await setupPackages();
  if (!built()) await locked(() => built() || build());
}

/** Only the npm packages, for what needs no build. */
export async function setupPackages() {
  if (!installed()) await locked(() => installed() || install());
}

/** Compiles src, examples and bench into dist. */
export function build() {
  step("building", process.execPath, [join("node_modules", "typescript", "bin", "tsc"), "-p", "tsconfig.build.json"]);
  writeFileSync(builtStamp, "");
}

function install() {
  step("installing npm packages", "npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
}

function installed() {
  const done = modifiedMs(join(root, "node_modules", ".package-lock.json"));
  return done !== undefined && done >= (modifiedMs(join(root, "package-lock.json")) ?? 0);
}

function built() {
  const done = modifiedMs(builtStamp);
  return done !== undefined && sources.every((source) => newestMs(join(root, source)) <= done);
}

function step(what, command, args) {
  process.stderr.write(`rollcall: ${what} …\n`);
  const run = spawnSync(command, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  if (run.status === 0) return;
  process.stderr.write(`${run.stdout ?? ""}${run.stderr ?? ""}`);
  process.stderr.write(`rollcall: ${what} failed${run.error ? `: ${run.error.message}` : ` (exit ${run.status})`}\n`);
  process.exit(1);
}

function modifiedMs(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs;
}

function newestMs(path) {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return 0;
  if (!found.isDirectory()) return found.mtimeMs;
  return Math.max(found.mtimeMs, ...readdirSync(path).map((name) => newestMs(join(path, name))));
}

/** Several commands started at once in a fresh clone set it up once: a folder is the lock, the pid in it says whose. */
async function locked(work) {
  mkdirSync(dirname(lock), { recursive: true });
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (abandoned()) rmSync(lock, { recursive: true, force: true });
    else await new Promise((resolve) => setTimeout(resolve, 200));
  }
  writeFileSync(join(lock, "pid"), String(process.pid));
  const release = () => rmSync(lock, { recursive: true, force: true });
  process.once("exit", release);
  try {
    work();
  } finally {
    process.off("exit", release);
    release();
  }
}

function abandoned() {
  try {
    process.kill(Number(readFileSync(join(lock, "pid"), "utf8")), 0);
    return false;
  } catch (error) {
    // Without a pid in it yet, its owner is just writing one.
    return error.code === "ESRCH";
  }
}
