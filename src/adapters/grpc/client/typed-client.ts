/** A client with a function for each method of a service, over a transport to one instance. */
import { GrpcError } from "../grpc-error.js";
import type { MethodTable, ServiceMethod } from "../methods.js";
import type { GrpcTransport, TransportCallOptions } from "../transport.js";

/** A client's function, before the types of a service are put on it. */
export type ClientFunction = (input: never, options?: TransportCallOptions) => unknown;

export type UntypedClient = Readonly<Record<string, ClientFunction>>;

export function typedClient(methods: MethodTable, transport: GrpcTransport): UntypedClient {
  return Object.fromEntries([...methods].map(([name, method]) => [name, clientFunction(method, transport)]));
}

function clientFunction(method: ServiceMethod, transport: GrpcTransport): ClientFunction {
  const { requestStream, responseStream } = method;
  if (!requestStream && !responseStream) return (request, options) => transport.unary(method, request, options);
  if (!requestStream) return (request, options) => transport.stream(method, [request], options);
  if (responseStream) return (requests, options) => transport.stream(method, requests, options);
  return async (requests, options) => onlyReply(transport.stream(method, requests, options));
}

/** The reply of a client-streaming call: the one message that its status follows. */
async function onlyReply<O>(responses: AsyncIterable<O>): Promise<O> {
  const received: O[] = [];
  for await (const response of responses) {
    if (received.push(response) > 1) throw new GrpcError("INTERNAL", "the server sent a second reply where one is due");
  }
  if (received.length === 0) throw new GrpcError("INTERNAL", "the server ended the call without a reply");
  return received[0] as O; // counted above
}
