/** Users in etcd, and how often it was asked for a token. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { etcdBinaries } from "../../scripts/etcd.mjs";
import type { EtcdMember } from "./etcd.js";

export const book = { user: "book", password: "pages" };

export interface Users {
  /** etcdctl as root; the same while authentication is off. */
  asRoot(...args: readonly string[]): Promise<string>;
  enable(): Promise<unknown>;
  disable(): Promise<unknown>;
  /** Changes the password of `book`, which also ends its tokens. The same password does that too. */
  setPassword(password: string): Promise<void>;
  /** Requests for a token so far, granted or refused, without our own. */
  logins(): Promise<number>;
}

/** Adds `root` and `book`, who may read and write `/services/book/` and nothing else. Authentication stays off. */
export async function addUsers(member: EtcdMember): Promise<Users> {
  await member.etcdctl("user", "add", "root:secret");
  await member.etcdctl("user", "grant-role", "root", "root");
  await member.etcdctl("role", "add", "book");
  await member.etcdctl("role", "grant-permission", "book", "--prefix=true", "readwrite", "/services/book/");
  await member.etcdctl("user", "add", `${book.user}:${book.password}`);
  await member.etcdctl("user", "grant-role", "book", "book");
  const { etcdctl } = await etcdBinaries();
  let ownLogins = 0;
  const asRoot = (...args: readonly string[]) => {
    ownLogins += 1;
    return member.etcdctl("--user=root:secret", ...args);
  };
  return {
    asRoot,
    enable: () => member.etcdctl("auth", "enable"),
    disable: () => asRoot("auth", "disable"),
    async setPassword(password) {
      ownLogins += 1;
      const args = [`--endpoints=${member.endpoint}`, "--user=root:secret", "user", "passwd", "book"];
      const passwd = promisify(execFile)(etcdctl, [...args, "--interactive=false"], { env: { ETCDCTL_API: "3" } });
      passwd.child.stdin?.end(`${password}\n`);
      await passwd;
    },
    async logins() {
      const page = await (await fetch(`http://${member.endpoint}/metrics`)).text();
      const counts = page.matchAll(/^grpc_server_handled_total\{.*grpc_method="Authenticate".*\} (\d+)$/gm);
      return [...counts].reduce((sum, [, count]) => sum + Number(count), -ownLogins);
    },
  };
}
