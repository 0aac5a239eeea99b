import { expect, it } from "vitest";
import { dialFailure } from "./dial-failure.js";

it.each([
  [
    "No connection established. Last error: connect ECONNREFUSED 127.0.0.1:1 (2026-11-23T04:09:01.126Z). Resolution note: ",
    "connect ECONNREFUSED 127.0.0.1:1",
  ],
  [
    "No connection established. Last error: Error: unable to verify the first certificate. Resolution note: ",
    "unable to verify the first certificate (give the authority that signed it as `tls.ca`)",
  ],
  [
    "No connection established. Last error: 802CA220217F0000:error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert " +
      "certificate required:../deps/openssl/rec_layer_s3.c:1601:SSL alert number 116\n (2026-11-23T04:09:01.126Z)",
    "tlsv13 alert certificate required (the member asks for a client certificate: give `tls.cert` and `tls.key`)",
  ],
  [
    "No connection established. Last error: 80:error:0A000415:SSL routines:ssl3_read_bytes:sslv3 alert certificate expired:x\n",
    "sslv3 alert certificate expired (the client certificate has expired: renew `tls.cert`)",
  ],
  [
    "No connection established. Last error: 80:error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:x\n",
    "tlsv1 alert unknown ca (the member does not know the authority that signed `tls.cert`)",
  ],
  [
    "No connection established. Last error: Error: certificate has expired. Resolution note: ",
    "certificate has expired (the member's own: renew it there)",
  ],
  [
    "No connection established. Last error: Protocol error. Resolution note: ",
    "Protocol error (it does not speak gRPC: is this etcd's client port, 2379 by default?)",
  ],
  [
    "Name resolution failed for target dns:no.such.host:2379",
    "Name resolution failed for target dns:no.such.host:2379",
  ],
])("says in plain words why there is no connection: %s", (details, words) => {
  expect(dialFailure(details)).toBe(words);
});
