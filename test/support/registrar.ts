/** A server's life as a program of its own: `registrar.ts <endpoint> <address> <ttlMs> [close]`; prints each state. */
import { etcd } from "../../src/registry/etcd/index.js";

const [endpoint = "", address = "", ttlMs = "", then] = process.argv.slice(2);
const registry = etcd({ endpoints: [endpoint], ttlMs: Number(ttlMs) });
try {
  const registration = await registry.register("book", { address }, { timeoutMs: 3_000 });
  registration.subscribe(({ state }) => console.log(state));
} catch (error) {
  console.log(`failed: ${error instanceof Error ? error.message : String(error)}`);
}
if (then === "close") {
  await registry.close();
  console.log("end");
}
