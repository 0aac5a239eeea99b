/**
 * What a test process has started must not outlive it, and a process that is killed outright cannot clean up. A shell can: its
 * stdin is a pipe from this process, and when that ends, however it ended, the shell does what is left.
 */
import { spawn } from "node:child_process";
import type { Socket } from "node:net";

/** Kills `pid`, or with a negative number that process group. Gives what calls it off. */
export function killAfterDeath(pid: number): () => void {
  return afterDeath('kill -s KILL -- "$1"', String(pid));
}

/** Removes the folder, a second later, when whatever wrote to it is gone too. Gives what calls it off. */
export function removeAfterDeath(folder: string): () => void {
  return afterDeath('sleep 1; rm -rf -- "$1"', folder);
}

function afterDeath(script: string, argument: string): () => void {
  const shell = spawn("sh", ["-c", `read -r _; ${script}`, "after-death", argument], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true, // out of reach of Ctrl-C
  });
  shell.unref();
  (shell.stdin as Socket).unref(); // a pipe to a child is a socket
  return () => void shell.kill("SIGKILL");
}
