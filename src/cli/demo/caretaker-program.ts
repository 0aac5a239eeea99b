/**
 * A program: outlives a demo that was killed and does what the demo no longer can. On stdin it is told what there is:
 *
 *     process 4711 SIGTERM        is running, and how it is asked to end
 *     ended 4711
 *     folder /tmp/…               is to be removed
 *     removed /tmp/…
 *
 * The end of stdin is the end of the demo. After an orderly one nothing is left to do.
 */
import { rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

/** Enough for a server to leave the registry and finish its calls. */
const GRACE_MS = 5_000;

const processes = new Map<number, NodeJS.Signals>();
const folders = new Set<string>();

for await (const line of createInterface({ input: process.stdin })) {
  const [word, first = "", second = ""] = line.split("\t");
  if (word === "process") processes.set(Number(first), second as NodeJS.Signals);
  if (word === "ended") processes.delete(Number(first));
  if (word === "folder") folders.add(first);
  if (word === "removed") folders.delete(first);
}

for (const [pid, signal] of processes) end(pid, signal);
const deadlineMs = Date.now() + GRACE_MS;
while ([...processes.keys()].some((pid) => end(pid, 0)) && Date.now() < deadlineMs) await sleep(100);
for (const pid of processes.keys()) end(pid, "SIGKILL");
for (const folder of folders) await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });

/** False when there is no such process any more. */
function end(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
