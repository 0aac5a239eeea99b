/** Whoever writes to etcd past every fault of the laboratory, as fast as one likes: servers that come and go, or an operator. */
import { setTimeout as sleep } from "node:timers/promises";
import { etcdClient } from "../../../src/registry/etcd/client/client.js";
import { keyBytes } from "../../../src/registry/etcd/client/key-range.js";
import { KV } from "../../../src/registry/etcd/proto/etcd_pb.js";

export interface Writer extends AsyncDisposable {
  /** Puts `/services/<service>/<host>:1` for each, all at once, and without a lease. */
  put(hosts: readonly string[], service?: string): Promise<void>;
  del(hosts: readonly string[], service?: string): Promise<void>;
  /** Writes that many megabytes beside all services. */
  fill(megabytes: number): Promise<void>;
  /** Puts and deletes one of a few hosts every `everyMs`, until it is stopped. */
  churn(everyMs: number): Churn;
}

export interface Churn {
  /** Resolves when nothing is being written any more, with how much was. */
  stop(): Promise<number>;
}

/** Far longer than an election on a busy machine. */
const OUTLASTS_MS = 60_000;
const AT_ONCE = 50;
const CHURNED = Array.from({ length: 12 }, (_, index) => `churned-${index}`);

export function startWriter(endpoints: readonly string[]): Writer {
  const client = etcdClient({ endpoints, logger: false });
  const keyOf = (host: string, service: string) => keyBytes(`/services/${service}/${host}:1`);
  const forEach = async (hosts: readonly string[], write: (host: string) => Promise<unknown>) => {
    const left = [...hosts];
    const work = async () => {
      for (let host = left.shift(); host !== undefined; host = left.shift()) await write(host);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  };
  const put = (hosts: readonly string[], service = "book") =>
    forEach(hosts, (host) => {
      const request = { key: keyOf(host, service), value: keyBytes(`${host}:1`) };
      return client.unary(KV.method.put, request, { timeoutMs: OUTLASTS_MS });
    });
  const del = (hosts: readonly string[], service = "book") =>
    forEach(hosts, (host) =>
      client.unary(KV.method.deleteRange, { key: keyOf(host, service) }, { timeoutMs: OUTLASTS_MS }),
    );

  return {
    put,
    del,
    async fill(megabytes) {
      const value = Buffer.alloc(1_000_000);
      for (let written = 0; written < megabytes; written += 1) {
        await client.unary(KV.method.put, { key: keyBytes("/filler"), value }, { timeoutMs: OUTLASTS_MS });
      }
    },
    churn(everyMs) {
      let stopped = false;
      let writes = 0;
      const running = (async () => {
        const there = new Set<string>();
        for (; !stopped; writes += 1) {
          const host = CHURNED[(writes * 5) % CHURNED.length] ?? "";
          const isThere = there.delete(host);
          if (!isThere) there.add(host);
          await (isThere ? del([host]) : put([host]));
          await sleep(everyMs);
        }
        return writes;
      })();
      return {
        stop() {
          stopped = true;
          return running;
        },
      };
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}
