import type {
  DescMessage,
  DescMethod,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { handleUnaryCall, ServerUnaryCall, UntypedServiceImplementation } from "@grpc/grpc-js";

/** One function per unary method of a service, from request to response; it throws an EtcdError to refuse. */
export type Answers<S extends DescService> = {
  [Name in keyof S["method"] as S["method"][Name] extends { methodKind: "unary" } ? Name : never]: Answer<
    S["method"][Name]
  >;
};

type Answer<M extends DescMethod> =
  M extends DescMethodUnary<infer Input, infer Output>
    ? (request: MessageShape<Input>, call: Call<Input, Output>) => MessageInitShape<Output>
    : never;

type Call<Input extends DescMessage, Output extends DescMessage> = Pick<
  ServerUnaryCall<MessageShape<Input>, MessageInitShape<Output>>,
  "getHost"
>;

export function answering<S extends DescService>(answers: Answers<S>): UntypedServiceImplementation {
  const handlers = Object.entries(answers as Record<string, (request: object, call: object) => object>); // the names are the service's own
  return Object.fromEntries(handlers.map(([name, answer]) => [name, unary(answer)]));
}

function unary(answer: (request: object, call: object) => object): handleUnaryCall<object, object> {
  return (call, callback) => {
    let response: object;
    try {
      response = answer(call.request, call);
    } catch (error) {
      callback(error as Error); // grpc-js reads the code and details of an EtcdError; anything else is UNKNOWN
      return;
    }
    callback(null, response);
  };
}
