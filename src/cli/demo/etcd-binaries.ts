/** Where etcd and etcdctl are: in the folder that ROLLCALL_ETCD names, else on the PATH. */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { UsageError } from "../usage-error.js";

export interface EtcdBinaries {
  readonly etcd: string;
  readonly etcdctl: string;
}

export async function etcdBinaries(): Promise<EtcdBinaries> {
  const { ROLLCALL_ETCD, PATH = "" } = process.env;
  for (const folder of ROLLCALL_ETCD ? [ROLLCALL_ETCD] : PATH.split(delimiter)) {
    const found = { etcd: join(folder, "etcd"), etcdctl: join(folder, "etcdctl") };
    if (folder && (await isExecutable(found.etcd)) && (await isExecutable(found.etcdctl))) return found;
  }
  throw new UsageError(
    ROLLCALL_ETCD
      ? `ROLLCALL_ETCD is ${ROLLCALL_ETCD}, and there are not both etcd and etcdctl in it`
      : "--cluster needs etcd and etcdctl, and they are not on the PATH: install etcd 3.4 or newer, or set ROLLCALL_ETCD " +
          "to a folder that holds both; without --cluster the demo needs neither",
  );
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}
