// Finds etcd and etcdctl, or unpacks Debian's packages of them into .cache/ without touching the system.
import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const cache = join(dirname(fileURLToPath(import.meta.url)), "..", ".cache", "etcd");

/** The Debian suite that carries each line of etcd; its packages also run on the suite before. */
const suites = { 3.5: "trixie", 3.4: "bookworm" };

const advice =
  "Install etcd 3.4 or newer so that `etcd` and `etcdctl` are on the PATH, or set ROLLCALL_ETCD to a folder that holds both.";

/**
 * Gives `{ etcd, etcdctl }` as absolute paths: from the folder ROLLCALL_ETCD, else from the PATH, else from the cache,
 * filled on first use. With a `line` ("3.4" or "3.5") always from the cache, since the version matters then.
 */
export async function etcdBinaries(line) {
  if (line === undefined) {
    const given = process.env.ROLLCALL_ETCD;
    if (given) {
      const found = await inFolder(given);
      if (!found) throw new Error(`ROLLCALL_ETCD is ${given}, but etcd and etcdctl are not both there.`);
      return found;
    }
    for (const folder of (process.env.PATH ?? "").split(delimiter)) {
      const found = folder && (await inFolder(folder));
      if (found) return found;
    }
    return fromDebian("3.5").catch(() => fromDebian("3.4"));
  }
  return fromDebian(line);
}

const unpacked = new Map();

/** Once for all who ask this process at the same time; again for whoever asks after a failure. */
function fromDebian(line) {
  const underWay = unpacked.get(line);
  if (underWay) return underWay;
  const found = cachedOrUnpacked(line);
  unpacked.set(line, found);
  found.catch(() => unpacked.delete(line));
  return found;
}

async function cachedOrUnpacked(line) {
  const suite = suites[line];
  if (!suite) throw new Error(`etcd ${line} is not among ${Object.keys(suites).join(", ")}.`);
  const target = join(cache, line);
  const bin = join(target, "usr", "bin");
  const cached = await inFolder(bin);
  if (cached) return cached;

  await mkdir(cache, { recursive: true });
  const scratch = await mkdtemp(join(cache, "unpack-"));
  try {
    await unpack(suite, scratch);
    // Another process may have been faster; either copy will do.
    await rename(join(scratch, "root"), target).catch(async (error) => {
      if (!(await inFolder(bin))) throw error;
    });
  } catch (error) {
    throw new Error(`etcd ${line} could not be had from Debian's packages (${error.message}). ${advice}`, {
      cause: error,
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  const found = await inFolder(bin);
  if (!found) throw new Error(`Debian's packages held no etcd and etcdctl under ${bin}. ${advice}`);
  return found;
}

/** `apt-get download` with a state of its own, so that the system's lists and sources stay as they are. */
async function unpack(suite, scratch) {
  for (const folder of ["lists/partial", "archives/partial", "debs", "root"]) {
    await mkdir(join(scratch, folder), { recursive: true });
  }
  await writeFile(join(scratch, "status"), "");
  const sources = await sourcesOf(suite, scratch);
  const options = Object.entries({
    "Dir::State": scratch,
    "Dir::State::Lists": join(scratch, "lists"),
    "Dir::State::status": join(scratch, "status"),
    "Dir::Cache": scratch,
    "Dir::Cache::archives": join(scratch, "archives"),
    "Dir::Etc::SourceList": sources.list,
    "Dir::Etc::SourceParts": sources.parts,
    "Dir::Etc::Preferences": "/dev/null",
    "Dir::Etc::PreferencesParts": "/dev/null",
    "APT::Sandbox::User": "root",
  }).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  const debs = join(scratch, "debs");
  await run("apt-get", [...options, "-qq", "update"], scratch);
  await run("apt-get", [...options, "-qq", "download", "etcd-server", "etcd-client"], debs);
  for (const deb of await readdir(debs)) await run("dpkg-deb", ["-x", join(debs, deb), join(scratch, "root")], debs);
}

/** The system's own Debian sources with the suite's name replaced: mirrors and keys stay those that the system trusts. */
async function sourcesOf(suite, scratch) {
  const parts = join(scratch, "sources.list.d");
  await mkdir(parts);
  const list = join(scratch, "sources.list");
  await writeFile(list, await rewritten("/etc/apt/sources.list", suite));
  for (const name of await readdir("/etc/apt/sources.list.d").catch(() => [])) {
    if (!/\.(list|sources)$/.test(name)) continue;
    await writeFile(join(parts, name), await rewritten(join("/etc/apt/sources.list.d", name), suite));
  }
  return { list, parts };
}

async function rewritten(file, suite) {
  const text = await readFile(file, "utf8").catch(() => "");
  const plainSuite = /^(deb(?:\s+\[[^\]]*\])?\s+\S+\s+)(?:bookworm|trixie|forky|sid|stable)(\s+main\b.*)$/;
  if (file.endsWith(".list")) {
    const lines = text.split("\n").filter((line) => plainSuite.test(line));
    return `${lines.map((line) => line.replace(plainSuite, `$1${suite}$2`)).join("\n")}\n`;
  }
  return text
    .split(/\n\s*\n/)
    .filter((stanza) => /^Suites:.*\b(bookworm|trixie|forky|sid|stable)(?![\w-])/m.test(stanza))
    .map((stanza) => stanza.replace(/^Suites:.*$/m, `Suites: ${suite}`))
    .join("\n\n");
}

async function inFolder(folder) {
  const found = { etcd: join(folder, "etcd"), etcdctl: join(folder, "etcdctl") };
  const executable = (file) =>
    access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
  return (await executable(found.etcd)) && (await executable(found.etcdctl)) ? found : undefined;
}

function run(command, args, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", "ignore", "pipe"] });
    let complaint = "";
    child.stderr.on("data", (chunk) => {
      complaint += chunk;
    });
    child.on("error", (error) => reject(new Error(`${command} cannot be run: ${error.message}`)));
    child.on("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${command} ended with ${code}: ${complaint.trim().split("\n").at(-1)}`));
    });
  });
}
