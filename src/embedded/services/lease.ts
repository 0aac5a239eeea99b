import { create } from "@bufbuild/protobuf";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import {
  type Lease,
  type LeaseKeepAliveRequest,
  type LeaseKeepAliveResponse,
  LeaseKeepAliveResponseSchema,
} from "../../registry/etcd/proto/etcd_pb.js";
import { currentHeader, type RegistryState } from "../registry-state.js";
import { type Answers, answering } from "./answering.js";

export function leaseService(state: RegistryState) {
  const { leases } = state;
  const answers: Answers<typeof Lease> = {
    leaseGrant(request) {
      const { id, ttl } = leases.grant(request.ID, request.TTL);
      return { header: currentHeader(state), ID: id, TTL: ttl };
    },
    leaseRevoke({ ID }) {
      leases.revoke(ID);
      return { header: currentHeader(state) };
    },
    leaseTimeToLive({ ID, keys: withKeys }) {
      const standing = leases.standing(ID);
      if (!standing) return { header: currentHeader(state), ID, TTL: -1n };
      const keys = withKeys ? standing.keys.map((key) => Buffer.from(key, "latin1")) : [];
      return { header: currentHeader(state), ID, TTL: standing.ttl, grantedTTL: standing.grantedTtl, keys };
    },
    leaseLeases: () => ({ header: currentHeader(state), leases: leases.ids().map((ID) => ({ ID })) }),
  };
  return { ...answering<typeof Lease>(answers), leaseKeepAlive: (call: KeepAliveCall) => keepAlive(call, state) };
}

type KeepAliveCall = ServerDuplexStream<LeaseKeepAliveRequest, LeaseKeepAliveResponse>;

function keepAlive(call: KeepAliveCall, state: RegistryState): void {
  const { leases, openStreams } = state;
  const fail = (error: Error) => void call.emit("error", error); // grpc-js makes it the stream's status
  const forget = () => void openStreams.delete(fail);
  openStreams.add(fail);
  call.on("data", ({ ID }: LeaseKeepAliveRequest) => {
    const header = currentHeader(state); // taken before the renewal, as etcd does
    call.write(create(LeaseKeepAliveResponseSchema, { header, ID, TTL: leases.renew(ID) }));
  });
  call.on("end", () => call.end());
  call.on("close", forget);
  call.on("cancelled", forget);
}
