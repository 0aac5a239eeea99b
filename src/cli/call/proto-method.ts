/** Finds a method in a .proto file, with `@grpc/proto-loader`, which comes with grpc-js. */
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import type * as ProtoLoader from "@grpc/proto-loader";
import { UsageError } from "../usage-error.js";

export interface ProtoMethod {
  /** Its name in the service. */
  readonly name: string;
  readonly service: ProtoLoader.ServiceDefinition;
  /** Whether its `idempotency_level` says that calling it twice does no harm. */
  readonly idempotent: boolean;
  /** The full name of its request's type. */
  readonly requestType: string;
  readonly types: ProtoLoader.PackageDefinition;
}

/** JSON has no 64-bit integers and no bytes: text stands for both. */
const asJson = { longs: String, enums: String, bytes: String, defaults: true, arrays: true } as const;

/** `path` is `package.Service/Method`. Throws a `UsageError` when the file or the method is not there. */
export function protoMethod(path: string, file: string): ProtoMethod {
  const [, serviceName = "", name = ""] = /^\/?([\w.]+)\/(\w+)$/.exec(path) ?? [];
  if (name === "") throw new UsageError(`"${path}" is not a method: write package.Service/Method`);
  const types = load(file);
  const services = Object.keys(types).filter((type) => isService(types[type]));
  const service = types[serviceName];
  if (!isService(service)) {
    throw new UsageError(`${file} has no service ${serviceName}: it has ${services.join(", ") || "none"}`);
  }
  const definition = Object.hasOwn(service, name) ? service[name] : undefined;
  if (definition === undefined) {
    const names = Object.keys(service).join(", ");
    throw new UsageError(`${serviceName} has no method ${name}: it has ${names || "none"}`);
  }
  if (definition.requestStream || definition.responseStream) {
    throw new UsageError(
      `${serviceName}/${name} is a stream: only methods with one request and one reply can be called`,
    );
  }
  const { idempotency_level: level = "IDEMPOTENCY_UNKNOWN" } = definition.options;
  return {
    name,
    service,
    idempotent: level !== "IDEMPOTENCY_UNKNOWN",
    requestType: fullName(definition.requestType, types),
    types,
  };
}

/** proto-loader gives a method's types without their packages. */
function fullName({ type }: ProtoLoader.ProtobufTypeDefinition, types: ProtoLoader.PackageDefinition): string {
  const wanted = JSON.stringify(type);
  const isSame = (each: ProtoLoader.AnyDefinition) => "format" in each && JSON.stringify(each.type) === wanted;
  const found = Object.entries(types).find(([, each]) => isSame(each as ProtoLoader.AnyDefinition));
  if (found === undefined) throw new Error("the .proto file does not hold the type of the method's request");
  return found[0];
}

function load(file: string): ProtoLoader.PackageDefinition {
  // Not among our own dependencies: asked for where grpc-js finds it.
  const grpc = createRequire(import.meta.url).resolve("@grpc/grpc-js");
  const { loadSync } = createRequire(grpc)("@grpc/proto-loader") as typeof ProtoLoader;
  try {
    return loadSync(resolve(file), { ...asJson, includeDirs: [dirname(resolve(file)), process.cwd()] });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`--proto ${file} cannot be used (${reason}): give the .proto file of the service`, {
      cause: error,
    });
  }
}

function isService(type: ProtoLoader.AnyDefinition | undefined): type is ProtoLoader.ServiceDefinition {
  return type !== undefined && !("format" in type);
}
