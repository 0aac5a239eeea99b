/** Before the tests that need it: both lines of etcd are unpacked once, in nobody's time, and not by all files together. */
import { etcdBinaries } from "../../scripts/etcd.mjs";

export async function setup(): Promise<void> {
  // Whoever needs what cannot be had says so, and the others run.
  await Promise.allSettled([etcdBinaries(), etcdBinaries("3.4"), etcdBinaries("3.5")]);
}
