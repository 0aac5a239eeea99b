/** A folder that is removed when it is disposed, or when the process is gone without having done so. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeAfterDeath } from "./after-death.js";

export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string;
  /** The path of a file in it. */
  file(name: string): string;
}

/** `name` says what it is for. */
export async function temporaryFolder(name: string): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), `rollcall-${name}-`));
  const removed = removeAfterDeath(path);
  return {
    path,
    file: (of) => join(path, of),
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true });
      removed();
    },
  };
}
