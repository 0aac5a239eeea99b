/** Why there is no connection, in words that help, from grpc-js's account of it. */

/** `details` of a call that failed for want of a connection. */
export function dialFailure(details: string): string {
  const reason = details
    .replace(/^No connection established\. Last error: (Error: )?/, "")
    .replace(/ Resolution note:.*$/s, "")
    .replace(/\s*\(\d{4}-\d\d-\d\dT[\d:.]+Z\)\.?/, "")
    .replace(/^[0-9A-F]+:error:[0-9A-F]+:SSL routines:[^:]*:([^:]*):.*$/s, "$1")
    .replace(/\.$/, "");
  return `${reason}${remedies.find(([symptom]) => symptom.test(reason))?.[1] ?? ""}`;
}

const remedies: ReadonlyArray<readonly [symptom: RegExp, remedy: string]> = [
  [
    /wrong version number|packet length too long|before secure TLS connection/,
    " (the member speaks no TLS: leave out `tls` and https://)",
  ],
  [/alert certificate expired/, " (the client certificate has expired: renew `tls.cert`)"],
  [/alert unknown ca/, " (the member does not know the authority that signed `tls.cert`)"],
  [
    /alert bad certificate/, // all that 3.4 says
    " (the member asks for a client certificate of an authority that it knows, and in date: `tls.cert` and `tls.key`)",
  ],
  [/alert (certificate|handshake)/, " (the member asks for a client certificate: give `tls.cert` and `tls.key`)"],
  [/^certificate (has expired|is not yet valid)/, " (the member's own: renew it there)"],
  [/not in the cert's list|altnames/, " (give the name in its certificate as `tls.serverName`)"],
  [/^Failed to connect$/, " (it takes connections and closes them: if it wants TLS, give `tls` or write https://)"],
  [/^Protocol error$/, " (it does not speak gRPC: is this etcd's client port, 2379 by default?)"],
  [/certificate/, " (give the authority that signed it as `tls.ca`)"],
];
