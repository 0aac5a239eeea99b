import { Server, ServerCredentials, type ServerDuplexStream, type ServiceDefinition } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import { Watch } from "../proto/etcd_pb.js";
import { etcdClient } from "./client.js";

const asIs = (bytes: Buffer) => bytes;
const watchOfBytes: ServiceDefinition = {
  watch: {
    path: "/etcdserverpb.Watch/Watch",
    requestStream: true,
    responseStream: true,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
};

it("ends with an error that names the fault when a member sends what is no message", async () => {
  const server = new Server();
  server.addService(watchOfBytes, {
    watch: (call: ServerDuplexStream<Buffer, Buffer>) => void call.write(Buffer.of(0x0a, 0x05, 0x01)),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
  const client = etcdClient({ endpoints: [`127.0.0.1:${port}`] });
  try {
    const ended = await new Promise<Error>((onEnd) => {
      const onMessage = () => onEnd(new Error("it was taken for a message"));
      client.stream(Watch.method.watch, { onMessage, onEnd }, { probePrefix: "k" });
    });
    expect(ended.message).toMatch(/premature EOF|parsing error/i);
  } finally {
    await client.close();
    server.forceShutdown();
  }
});
