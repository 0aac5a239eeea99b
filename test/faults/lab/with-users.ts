/** One member that knows users, and a registration and a view behind a proxy to it. */
import type { Membership } from "rollcall";
import { type EtcdOptions, etcd } from "rollcall/etcd";
import { firstMatch } from "../../../src/live.js";
import type { EtcdMember, EtcdOptions as ServerOptions } from "../../support/etcd.js";
import { addUsers } from "../../support/etcd-users.js";
import { address, stored } from "../../support/registrations.js";
import type { TcpProxy } from "../../support/tcp-proxy.js";
import { startLaboratory, TTL_MS } from "./laboratory.js";

/** The users are `root` and `book`; authentication is off. */
export async function startWithUsers({ args = [], ...options }: ServerOptions) {
  // The cheapest hash: at the default cost a dozen members that check passwords at once keep a small machine busy.
  const lab = await startLaboratory({ size: 1, ...options, args: ["--bcrypt-cost", "4", ...args] });
  const member = lab.cluster.members[0] as EtcdMember; // of one
  const users = await addUsers(member);
  const proxy = (await lab.network()).proxies[0] as TcpProxy; // one for each member

  /** A registration and a view of `book`, both up. */
  const join = async (login: Pick<EtcdOptions, "user" | "password" | "ttlMs">) => {
    const warnings: string[] = [];
    const logger = { warn: (message: string) => void warnings.push(message), info: () => {} };
    const registry = lab.owns(etcd({ endpoints: [proxy.endpoint], ttlMs: TTL_MS, logger, ...login }));
    const registration = await registry.register("book", { address });
    const view = registry.instancer("book");
    await firstMatch(view, ({ state }) => state === "live", AbortSignal.timeout(10_000));
    const disturbances: string[] = [];
    registration.subscribe(({ state, reason }) => {
      if (state !== "registered" && state !== "suspect") disturbances.push(`${state}: ${reason}`);
    });
    let known: readonly string[] = [];
    view.subscribe((each) => {
      const now = each.state === "pending" ? [] : each.instances.map((instance) => instance.address);
      disturbances.push(...known.filter((seen) => !now.includes(seen)).map((seen) => `a view without ${seen}`));
      known = now;
    });
    return {
      registry,
      registration,
      view,
      warnings,
      /** When the registration was not kept, and what a view no longer had. A view may be stale for as long as all is slow. */
      disturbances,
      reaches: (state: string, withinMs = 20_000) =>
        firstMatch(registration, (status) => status.state === state, AbortSignal.timeout(withinMs)),
      shows: (accept: (view: Membership) => boolean, withinMs = 20_000) =>
        firstMatch(view, accept, AbortSignal.timeout(withinMs)),
      /** Puts an instance and waits for a view with it. */
      async sees(host: string) {
        await users.asRoot("put", `/services/book/${host}:1`, `${host}:1`);
        await firstMatch(view, has(`${host}:1`), AbortSignal.timeout(15_000));
      },
    };
  };
  const storedNow = () => stored({ etcdctl: users.asRoot });
  return { lab, member, proxy, ...users, join, storedNow, [Symbol.asyncDispose]: () => lab.stop() };
}

const has = (instance: string) => (view: Membership) =>
  view.state === "live" && view.instances.some((each) => each.address === instance);
