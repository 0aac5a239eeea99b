/** The methods of a service under the names that clients and handlers use, whatever the service was generated with. */
import type { DescService } from "@bufbuild/protobuf";
import type { ServiceDefinition } from "@grpc/grpc-js";
import { RollcallError } from "../../index.js";
import { methodDefinition } from "../../method-definitions.js";
import type { ClientClass, ServiceSource } from "./client-types.js";
import type { GrpcMethod } from "./transport.js";

export interface ServiceMethod extends GrpcMethod<unknown, unknown> {
  /** Whether the .proto says that calling it twice does no harm (`idempotency_level`). */
  readonly idempotent: boolean;
}

export type MethodTable = ReadonlyMap<string, ServiceMethod>;

export function methodsOf(source: ServiceSource | ClientClass): MethodTable {
  if (isClientClass(source)) {
    if (source.service) return definedMethods(source.service);
    throw new RollcallError(
      "INVALID_ARGUMENT",
      `the client class ${source.name} has no static service definition: pass the definition, or use grpcConnect()`,
    );
  }
  if (isDescService(source)) return generatedMethods(source);
  if (typeof source === "object" && source !== null && Object.values(source).some(isDefinition)) {
    return definedMethods(source);
  }
  throw new RollcallError(
    "INVALID_ARGUMENT",
    "the service has no methods: pass what protoc-gen-es makes of it, a service definition or a client class of grpc-js",
  );
}

function isDefinition(method: unknown): boolean {
  return typeof method === "object" && method !== null && "requestSerialize" in method;
}

export function isDescService(source: ServiceSource | ClientClass): source is DescService {
  return (source as Partial<DescService>).kind === "service" && Array.isArray((source as Partial<DescService>).methods);
}

export function isClientClass(source: ServiceSource | ClientClass): source is ClientClass & { readonly name: string } {
  return typeof source === "function";
}

// google.protobuf.MethodOptions.IdempotencyLevel; the others are NO_SIDE_EFFECTS and IDEMPOTENT.
const IDEMPOTENCY_UNKNOWN = 0;

function generatedMethods(service: DescService): MethodTable {
  return new Map(
    service.methods.map((method) => {
      const idempotent = method.idempotency !== IDEMPOTENCY_UNKNOWN;
      return [method.localName, { ...methodDefinition(method), idempotent } as ServiceMethod]; // its requests are objects
    }),
  );
}

/** Under the definition's names and, as grpc-js's own client classes have it, under their `originalName`. */
function definedMethods(definition: ServiceDefinition): MethodTable {
  const methods = new Map<string, ServiceMethod>();
  for (const [name, method] of Object.entries(definition)) {
    const entry: ServiceMethod = { ...method, idempotent: false };
    methods.set(name, entry);
    if (method.originalName !== undefined && !(method.originalName in definition))
      methods.set(method.originalName, entry);
  }
  return methods;
}
