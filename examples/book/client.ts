/** The tutorial's client: eight calls, spread over whatever servers are there. */
import { etcd } from "rollcall/etcd";
import { grpcClient } from "rollcall/grpc";
import { Test } from "./book_pb.js";
import { bookOptions } from "./options.js";

await using registry = etcd({ endpoints: bookOptions().endpoints });
await using book = grpcClient(Test, { registry, service: "book", idempotent: true });

for (let call = 1; call <= 8; call += 1) {
  const reply = await book.test({ a: "Allen", b: 21n });
  console.log(reply.v);
}
