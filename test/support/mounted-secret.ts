/**
 * Files as the kubelet mounts a secret: each is a link into a folder that is itself a link, and a new version is a new folder
 * whose link takes the place of the old one, so that all files change in one instant.
 */
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface MountedSecret extends AsyncDisposable {
  /** Where a file of this name is, in every version. */
  file(name: string): string;
  update(files: Readonly<Record<string, string>>): Promise<void>;
}

export async function mountSecret(files: Readonly<Record<string, string>>): Promise<MountedSecret> {
  const folder = await mkdtemp(join(tmpdir(), "rollcall-secret-"));
  let versions = 0;
  const update = async (next: typeof files) => {
    versions += 1;
    const version = join(folder, `..version-${versions}`);
    await mkdir(version);
    await Promise.all(Object.entries(next).map(([name, content]) => writeFile(join(version, name), content)));
    await symlink(version, join(folder, "..next"));
    await rename(join(folder, "..next"), join(folder, "..data"));
  };
  await update(files);
  await Promise.all(Object.keys(files).map((name) => symlink(join("..data", name), join(folder, name))));
  return {
    file: (name) => join(folder, name),
    update,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
