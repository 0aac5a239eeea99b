/** Run as a child process: uses an etcd client in every way, closes it as told and leaves the rest to Node. */

import { etcdClient } from "../../src/registry/etcd/client/client.js";
import { prefixRange } from "../../src/registry/etcd/client/key-range.js";
import { KV, Watch } from "../../src/registry/etcd/proto/etcd_pb.js";

const [endpoints = "", hungEndpoint = "", manner = ""] = process.argv.slice(2);
const client = etcdClient({ endpoints: endpoints.split(","), random: () => 0, logger: false });
await client.unary(KV.method.range, { key: Buffer.from("k") });
if (manner === "idle") {
  process.stdout.write("done\n");
} else {
  const hung = etcdClient({ endpoints: [hungEndpoint], logger: false });
  const waiting = hung.unary(KV.method.range, { key: Buffer.from("k") }).catch((error) => error.code);
  const ended = new Promise<string>((resolve) => {
    const onMessage = () => void Promise.all([client.close(), hung.close()]);
    const onEnd = (error: Error & { code?: string }) => resolve(String(error.code));
    const stream = client.stream(Watch.method.watch, { onMessage, onEnd }, { probePrefix: "k" });
    stream.send({ requestUnion: { case: "createRequest", value: prefixRange("k") } });
  });
  process.stdout.write(`${await ended} ${await waiting}\n`);
}
