/** The tutorial's client again, put together part by part as go-kit does it. */
import { balance, compose, endpoints, retry, roundRobin } from "rollcall";
import { etcd } from "rollcall/etcd";
import { grpcConnect } from "rollcall/grpc";
import { Test } from "./book_pb.js";
import { bookOptions } from "./options.js";

await using registry = etcd({ endpoints: bookOptions().endpoints });

// go-kit: etcdv3.NewInstancer, sd.NewEndpointer with a factory, lb.NewRoundRobin, lb.Retry(3, 3*time.Second, balancer)
await using instancer = registry.instancer("book");
await using endpointer = endpoints(instancer, grpcConnect(Test));
await using balancer = balance(endpointer, roundRobin());
const call = compose(balancer.call, retry({ attempts: 3, timeoutMs: 3_000 }));

for (let number = 1; number <= 8; number += 1) {
  const reply = await call(
    (client, { instance, signal, deadlineMs }) => {
      console.log(`${number} → ${instance.address}`);
      return client.test({ a: "Allen", b: 21n }, { signal, deadlineMs });
    },
    { idempotent: true },
  );
  console.log(reply.v);
}

// The balancer alone, as the tutorial's balancer.Endpoint(): the pick is ended with what became of it.
const pick = await balancer.pick();
const reply = await pick.endpoint.connection.client.test({ a: "Allen", b: 21n });
pick.done({ kind: "ok", reached: "maybe-seen" });
console.log(`${pick.endpoint.address} says ${reply.v}`);
