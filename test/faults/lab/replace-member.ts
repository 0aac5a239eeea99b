import { setTimeout as sleep } from "node:timers/promises";
import type { EtcdMember } from "../../support/etcd.js";

/**
 * Has `other` take the member of this name off the list and put it there again under the same address, as one that knows
 * nothing, and with `learner` as one that has no vote. It is then to be restarted with `joining`. etcd refuses until it has seen
 * the others well for 5 s, so that this is tried for a while.
 */
export async function replaceMember(
  other: Pick<EtcdMember, "etcdctl">,
  name: string,
  { learner = false }: { readonly learner?: boolean } = {},
): Promise<void> {
  const { id, peerUrl } = await memberOf(other, name);
  await insist(() => other.etcdctl("member", "remove", id));
  const add = ["member", "add", name, `--peer-urls=${peerUrl}`, ...(learner ? ["--learner"] : [])];
  await insist(() => other.etcdctl(...add));
}

/** Gives a learner its vote, once etcd finds that it has caught up. */
export async function promoteMember(other: Pick<EtcdMember, "etcdctl">, name: string): Promise<void> {
  const { id } = await memberOf(other, name);
  await insist(() => other.etcdctl("member", "promote", id));
}

async function memberOf(other: Pick<EtcdMember, "etcdctl">, name: string) {
  const line = (await other.etcdctl("member", "list")).split("\n").find((each) => each.includes(name));
  const [id = "", , , peerUrl = ""] = line?.split(", ") ?? [];
  return { id, peerUrl };
}

async function insist(operation: () => Promise<unknown>, tries = 20): Promise<void> {
  try {
    await operation();
  } catch (error) {
    if (tries === 1) throw error;
    await sleep(1_000);
    await insist(operation, tries - 1);
  }
}
