/** The standard health service (grpc.health.v1), as load balancers, Kubernetes and `grpc_health_probe` ask it. */
import { cell, changes } from "../../../index.js";
import { GrpcError } from "../grpc-error.js";
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from "../proto/health_pb.js";
import type { Answering } from "./grpc-js-handler.js";
import { type ServableService, type ServiceImplementation, servable } from "./handlers.js";

export interface HealthService extends ServableService {
  /** Tells everybody who watches. It begins as not serving. */
  setServing(serving: boolean): void;
  /** Ends every watch, so that they do not hold up a shutdown. */
  close(): void;
}

/** Health of the whole server (the empty name) and of each of `services`, all the same. */
export function healthService(services: readonly string[], answering: Answering): HealthService {
  const known = new Set(["", ...services]);
  const serving = cell<ServingStatus>(ServingStatus.NOT_SERVING);
  const closing = new AbortController();
  const checks: ServiceImplementation<typeof Health> = {
    check({ service }) {
      if (!known.has(service)) throw new GrpcError("NOT_FOUND", `unknown service ${service}`);
      return { status: serving.current };
    },
    async *watch({ service }, { signal }) {
      const ended = new AbortController();
      const end = () => ended.abort();
      signal.addEventListener("abort", end, { once: true });
      closing.signal.addEventListener("abort", end, { once: true });
      if (closing.signal.aborted) end();
      const status = known.has(service) ? serving : cell<ServingStatus>(ServingStatus.SERVICE_UNKNOWN);
      try {
        for await (const now of changes(status, ended.signal)) yield { status: now };
      } finally {
        closing.signal.removeEventListener("abort", end);
      }
    },
  };
  const { definition, implementation, names } = servable(Health, checks, answering);
  return {
    definition,
    implementation,
    names,
    setServing: (is) => serving.set(is ? ServingStatus.SERVING : ServingStatus.NOT_SERVING),
    close: () => closing.abort(),
  };
}
