/** One page's world, in which its blocks are run: a registry, ports that are free here, and a folder for each machine. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { startEmbedded } from "rollcall/embedded";
import { etcdBinaries } from "../../scripts/etcd.mjs";
import { killAfterDeath } from "./after-death.js";
import { freePorts } from "./etcd.js";
import type { Snippet } from "./snippets.js";

/** The three machines of the tutorial, and what stands for each of them here; in the same order when they are sorted. */
const machines = { "10.204.29.70": "127.0.0.1", "10.204.29.73": "127.0.0.2", "10.204.29.77": "127.0.0.3" };

const REGISTERED_WITHIN_MS = 40_000;

export interface Page {
  readonly snippets: readonly Snippet[];
  /** Where the compiled TypeScript of the page lies, under the names that the page gives. */
  readonly folder: string;
}

/** Puts `etcd`, `etcdctl` and an `npx` that runs what is installed here into `folder`, for the PATH of what is run. */
export async function installTools(root: string, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const { etcd, etcdctl } = await etcdBinaries();
  symlinkSync(etcd, join(folder, "etcd"));
  symlinkSync(etcdctl, join(folder, "etcdctl"));
  const cli = join(root, "dist/src/cli/main.js");
  const bin = join(root, "node_modules/.bin");
  const npx = `#!/bin/sh\nname=$1; shift\n[ "$name" = rollcall ] && exec node "${cli}" "$@"\nPATH="${bin}:$PATH" exec "$name" "$@"\n`;
  writeFileSync(join(folder, "npx"), npx, { mode: 0o755 });
}

export async function startStage(root: string, tools: string, page: Page) {
  const ownRegistry = page.snippets.some(({ mode }) => mode === "background");
  const severalMachines = page.snippets.some(({ machine }) => machine !== undefined);
  // In order, so that what a page lists in order is so here as well.
  const [clientPort = 0, peerPort = 0, ...spare] = (await freePorts(14)).sort((a, b) => a - b);
  const embedded = ownRegistry ? undefined : await startEmbedded();
  const endpoint = embedded?.endpoint ?? `127.0.0.1:${clientPort}`;
  const localized = severalMachines
    ? onLoopback({ clientPort, peerPort, servicePort: spare[0] ?? 0 })
    : here(endpoint, peerPort, spare);

  for (const { language, name, code } of page.snippets) {
    if (language === "yaml") writeFileSync(join(page.folder, name), code);
  }
  cpSync(join(root, "examples/book/book.proto"), join(page.folder, "book.proto"));

  const environment: NodeJS.ProcessEnv = { ...process.env, PATH: `${tools}:${process.env.PATH}`, ETCDCTL_API: "3" };
  delete environment.ETCDCTL_ENDPOINTS; // etcdctl refuses it beside --endpoints
  const background = new Map<string, ChildProcess>();
  const servers: ChildProcess[] = [];

  const folderOf = (machine: string | undefined) => {
    if (machine === undefined) return page.folder;
    const folder = join(page.folder, machine);
    mkdirSync(folder, { recursive: true });
    try {
      symlinkSync(root, join(folder, "rollcall"));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    return folder;
  };
  const start = (snippet: Snippet, machine = snippet.machine) => {
    const cwd = folderOf(machine);
    const [command, ...args] =
      snippet.language === "sh"
        ? ["bash", "-euo", "pipefail", "-c", localized(snippet.code)]
        : [process.execPath, join(page.folder, snippet.name.replace(/\.ts$/, ".js"))];
    const child = spawn(command ?? "", args, {
      cwd,
      env: environment,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    if (child.pid !== undefined) child.once("close", killAfterDeath(-child.pid));
    return { child, output: collected(child) };
  };
  const registered = async () => {
    const args = [`--endpoints=${endpoint}`, "get", "--prefix", "/services/", "--keys-only"];
    const { stdout } = await promisify(execFile)(join(tools, "etcdctl"), args, { env: environment }).catch(() => ({
      stdout: "",
    }));
    return stdout.split("\n").filter(Boolean).length;
  };
  const until = async (count: number, failed: () => string | undefined) => {
    const giveUpAt = Date.now() + REGISTERED_WITHIN_MS;
    while ((await registered()) !== count) {
      const failure =
        failed() ?? (Date.now() > giveUpAt ? `not ${count} servers registered, but ${await registered()}` : undefined);
      if (failure !== undefined) throw new Error(failure);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };

  return {
    /** The code of a compiled block, as it can run here. */
    localized,

    /** Starts servers and waits until all of them are registered. */
    async serve(snippet: Snippet): Promise<void> {
      const before = await registered();
      const { child, output } = start(snippet);
      servers.push(child);
      await until(before + snippet.servers, () =>
        child.exitCode ? `${snippet.at} ended with ${child.exitCode}:\n${output.text}` : undefined,
      );
    },

    async background(snippet: Snippet): Promise<void> {
      const machine = snippet.machine ?? "";
      const previous = background.get(machine);
      if (previous) await ended(previous, "SIGTERM");
      background.set(machine, start(snippet).child);
    },

    async run(snippet: Snippet): Promise<string> {
      const where = snippet.machine === "every-machine" ? ["machine-1", "machine-2", "machine-3"] : [snippet.machine];
      let all = "";
      for (const machine of where) {
        const { child, output } = start(snippet, machine);
        const printed = await output.all;
        if (child.exitCode !== 0) {
          throw new Error(`${snippet.at} ended with ${child.exitCode ?? child.signalCode}:\n${printed}`);
        }
        all += printed;
      }
      return all;
    },

    /** Ends the servers as their supervisor would; none of them may leave its registration behind. */
    async end(): Promise<void> {
      if (servers.length === 0) return;
      await Promise.all(servers.splice(0).map((child) => ended(child, "SIGTERM")));
      const left = await registered();
      if (left > 0) throw new Error(`${left} servers ended and are still registered`);
    },

    async [Symbol.asyncDispose]() {
      await Promise.all([...servers, ...background.values()].map((child) => ended(child, "SIGKILL")));
      await embedded?.close();
    },
  };
}

/** Signals a block with everything that it started, and waits for the end of all of it. */
async function ended(child: ChildProcess, name: NodeJS.Signals): Promise<void> {
  const closed = child.stdout?.closed ? undefined : once(child, "close");
  signal(child, name);
  await closed;
}

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** The registry of the stage in the place of the addresses that a page names, and free ports in the place of 50xxx. */
function here(endpoint: string, peerPort: number, spare: number[]) {
  const ports = new Map([["2380", peerPort]]);
  // In one pass, so that nothing that was put in is replaced again.
  const addresses =
    /"10\.0\.0\.\d+:2379"(?:,\s*"10\.0\.0\.\d+:2379")*|\b(?:127\.0\.0\.1|10\.\d+\.\d+\.\d+):2379\b|\b(?:0\.0\.0\.0|127\.0\.0\.1):(2380|50\d\d\d)\b/g;
  return (code: string) =>
    code.replaceAll(addresses, (found: string, port: string | undefined) => {
      if (port === undefined) return found.startsWith('"') ? `"${endpoint}"` : endpoint;
      if (!ports.has(port)) ports.set(port, spare.shift() ?? 0);
      return `127.0.0.1:${ports.get(port)}`;
    });
}

function onLoopback(ports: { readonly clientPort: number; readonly peerPort: number; readonly servicePort: number }) {
  return (code: string) =>
    Object.entries(machines)
      .reduce((text, [real, loopback]) => text.replaceAll(real, loopback), code)
      .replaceAll(/:2379\b/g, `:${ports.clientPort}`)
      .replaceAll(/:2380\b/g, `:${ports.peerPort}`)
      .replaceAll(/:50051\b/g, `:${ports.servicePort}`);
}

interface Output {
  /** What it has printed so far, on both streams. */
  readonly text: string;
  /** All of it, when it has ended. */
  readonly all: Promise<string>;
}

function collected(child: ChildProcess): Output {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk) => {
      text += chunk;
    });
  }
  return {
    get text() {
      return text;
    },
    all: once(child, "close").then(() => text),
  };
}
