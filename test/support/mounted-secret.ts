/**
 * Files as the kubelet mounts a secret: each is a link into a folder that is itself a link, and a new version is a new folder
 * whose link takes the place of the old one, so that all files change in one instant.
 */
import { mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "./temporary-folder.js";

export interface MountedSecret extends AsyncDisposable {
  /** Where a file of this name is, in every version. */
  file(name: string): string;
  update(files: Readonly<Record<string, string>>): Promise<void>;
}

export async function mountSecret(files: Readonly<Record<string, string>>): Promise<MountedSecret> {
  const folder = await temporaryFolder("secret");
  let versions = 0;
  const update = async (next: typeof files) => {
    versions += 1;
    const version = folder.file(`..version-${versions}`);
    await mkdir(version);
    await Promise.all(Object.entries(next).map(([name, content]) => writeFile(join(version, name), content)));
    await symlink(version, folder.file("..next"));
    await rename(folder.file("..next"), folder.file("..data"));
  };
  await update(files);
  await Promise.all(Object.keys(files).map((name) => symlink(join("..data", name), folder.file(name))));
  return {
    file: folder.file,
    update,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}
