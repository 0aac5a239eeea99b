import type { Auth } from "../../registry/etcd/proto/etcd_pb.js";
import { EtcdError } from "../errors.js";
import { answering } from "./answering.js";

/** Clients that were given a user hear that there is no authentication, and go on without a token. */
export function authService() {
  return answering<typeof Auth>({
    authenticate() {
      throw new EtcdError("authNotEnabled");
    },
  });
}
