import { put } from "./requests.js";
import type { Scenario } from "./scenario.js";

export const leases: readonly Scenario[] = [
  {
    name: "grants at least the minimal TTL, under the id asked for, once",
    async run(etcd) {
      for (const TTL of [10n, 1n, 0n, -3n]) {
        await etcd.call("leaseGrant", { ID: 2001n, TTL });
        await etcd.call("leaseGrant", { ID: 2001n, TTL });
        await etcd.call("leaseRevoke", { ID: 2001n });
      }
    },
  },
  {
    name: "revoking deletes the attached keys in one revision",
    async run(etcd) {
      await etcd.call("leaseGrant", { ID: 2002n, TTL: 600n });
      await etcd.put("b", "", { lease: 2002n });
      await etcd.put("a", "", { lease: 2002n });
      await etcd.put("c", "");
      const watch = etcd.watch();
      await watch.create("", { rangeEnd: etcd.key("z"), prevKv: true });
      await etcd.call("leaseTimeToLive", { ID: 2002n, keys: true });
      await etcd.call("leaseTimeToLive", { ID: 2002n });
      await etcd.call("leaseRevoke", { ID: 2002n });
      await etcd.range("a", { rangeEnd: etcd.key("z") });
      await watch.rest();
      await etcd.call("leaseTimeToLive", { ID: 2002n, keys: true });
      await etcd.call("leaseRevoke", { ID: 2002n });
      watch.close();
    },
  },
  {
    name: "a lease without keys goes without a revision",
    async run(etcd) {
      await etcd.call("leaseGrant", { ID: 2003n, TTL: 600n });
      await etcd.call("leaseRevoke", { ID: 2003n });
      await etcd.put("a", "");
    },
  },
  {
    name: "a put detaches, moves or keeps the lease of its key",
    async run(etcd) {
      await etcd.call("leaseGrant", { ID: 2004n, TTL: 600n });
      await etcd.call("leaseGrant", { ID: 2005n, TTL: 700n });
      for (const name of ["detached", "moved", "kept", "deleted"]) await etcd.put(name, "", { lease: 2004n });
      await etcd.put("detached", "");
      await etcd.put("moved", "", { lease: 2005n });
      await etcd.put("kept", "x", { ignoreLease: true });
      await etcd.delete("deleted");
      await etcd.put("deleted", "put again");
      await etcd.call("leaseTimeToLive", { ID: 2004n, keys: true });
      await etcd.call("leaseTimeToLive", { ID: 2005n, keys: true });
      await etcd.call("leaseLeases", {});
      await etcd.call("leaseRevoke", { ID: 2004n });
      await etcd.range("a", { rangeEnd: etcd.key("z") });
      await etcd.call("leaseRevoke", { ID: 2005n });
      await etcd.range("a", { rangeEnd: etcd.key("z") });
    },
  },
  {
    name: "keep-alive answers each id, TTL 0 for one that it does not know",
    async run(etcd) {
      await etcd.call("leaseGrant", { ID: 2006n, TTL: 600n });
      await etcd.keepAlive(2006n, 404n, 2006n);
      await etcd.call("leaseRevoke", { ID: 2006n });
      await etcd.keepAlive(2006n);
    },
  },
  {
    name: "a lease that is not renewed takes its keys along in one revision",
    async run(etcd) {
      await etcd.call("leaseGrant", { ID: 2007n, TTL: 1n });
      const watch = etcd.watch();
      await watch.create("", { rangeEnd: etcd.key("z") });
      await etcd.txn({ success: [put(etcd, "a", { lease: 2007n }), put(etcd, "b", { lease: 2007n })] });
      await watch.next(1);
      await watch.next(1); // the expiry
      await etcd.call("leaseTimeToLive", { ID: 2007n });
      await etcd.range("a", { rangeEnd: etcd.key("z") });
      watch.close();
    },
  },
];
