// Makes a fresh clone ready: npm packages as the lock file says, then the build. Does nothing when both are up to date.
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");

// What the build reads: a change in any of it makes dist out of date.
const sources = ["src", "examples", "bench", "package.json", "tsconfig.json", "tsconfig.build.json"];
const dist = join(root, "dist");
const builtStamp = join(dist, ".built");
const lock = join(root, ".cache", "setup.pid");

/** Installs and builds what is missing or out of date; says so on stderr only, since stdout may be somebody's NDJSON. */
export async function setup() {
  await setupPackages();
  if (!built()) await locked(() => built() || build());
}

/** Only the npm packages, for what needs no build. */
export async function setupPackages() {
  refuseOldNode();
  if (!installed()) await locked(() => installed() || install());
}

/** Compiles src, examples and bench into dist. */
export function build() {
  const startedAt = new Date();
  removeOrphans(dist);
  step("building", process.execPath, [join("node_modules", "typescript", "bin", "tsc"), "-p", "tsconfig.build.json"]);
  writeFileSync(builtStamp, "");
  utimesSync(builtStamp, startedAt, startedAt); // what was saved while it ran may not be in it
}

function refuseOldNode() {
  const needed = json("package.json").engines.node;
  const [, major, minor] = /^>=(\d+)\.(\d+)/.exec(needed).map(Number);
  const [thisMajor, thisMinor] = process.versions.node.split(".").map(Number);
  if (thisMajor > major || (thisMajor === major && thisMinor >= minor)) return;
  process.stderr.write(
    `rollcall: this is Node ${process.versions.node}, and it needs ${needed}: install a newer Node\n`,
  );
  process.exit(1);
}

function install() {
  // npm's own pauses between tries would keep somebody without a network waiting for over a minute.
  const patience = "--fetch-retry-mintimeout=1000";
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", patience];
  step("installing npm packages", "npm", args, "is npm's registry within reach? `npm ci` has to work");
}

/** By content and not by time: a checkout touches the lock file, and an install under running programs breaks them. */
function installed() {
  const wanted = json("package-lock.json").packages;
  const found = json(join("node_modules", ".package-lock.json"))?.packages; // npm writes it when it has finished
  return (
    found !== undefined &&
    Object.entries(wanted).every(
      ([path, { integrity, optional }]) =>
        path === "" || (found[path] ? found[path].integrity === integrity : optional),
    )
  );
}

function built() {
  const done = modifiedMs(builtStamp);
  return done !== undefined && sources.every((source) => newestMs(join(root, source)) <= done);
}

function step(what, command, args, advice) {
  process.stderr.write(`rollcall: ${what} …\n`);
  const run = spawnSync(command, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  if (run.status === 0) return;
  process.stderr.write(`${run.stdout ?? ""}${run.stderr ?? ""}`);
  const reason = run.error ? `: ${run.error.message}` : ` (exit ${run.status})`;
  process.stderr.write(`rollcall: ${what} failed${reason}${advice ? `; ${advice}` : ""}\n`);
  process.exit(1);
}

function json(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

function modifiedMs(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs;
}

/** A folder's own time counts too: it is all that a deleted file leaves behind. */
function newestMs(path) {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return 0;
  if (!found.isDirectory()) return found.mtimeMs;
  const read = readdirSync(path).filter((name) => !name.endsWith(".md")); // a bench writes its results beside itself
  return Math.max(found.mtimeMs, ...read.map((name) => newestMs(join(path, name))));
}

/** The compiler forgets a source that is gone, and leaves its output. */
function removeOrphans(folder) {
  for (const entry of statSync(folder, { throwIfNoEntry: false }) ? readdirSync(folder, { withFileTypes: true }) : []) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) removeOrphans(path);
    const source = join(root, path.slice(dist.length).replace(/(?:\.js|\.d\.ts)(?:\.map)?$/, ".ts"));
    if (source.endsWith(".ts") && modifiedMs(source) === undefined) rmSync(path);
  }
}

/** Several commands started at once in a fresh clone set it up once: the lock is a link that names its owner's pid. */
async function locked(work) {
  mkdirSync(dirname(lock), { recursive: true });
  for (let tries = 0; !acquired(); tries += 1) {
    if (abandoned()) rmSync(lock, { force: true });
    else {
      if (tries === 0) process.stderr.write("rollcall: waiting for another command to set this clone up …\n");
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  const release = () => rmSync(lock, { force: true });
  process.once("exit", release);
  try {
    work();
  } finally {
    process.off("exit", release);
    release();
  }
}

function acquired() {
  try {
    symlinkSync(String(process.pid), lock);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

function abandoned() {
  try {
    process.kill(Number(readlinkSync(lock)), 0);
    return false;
  } catch (error) {
    return error.code === "ESRCH";
  }
}
