/** How the connections to etcd are secured: the user's PEM as grpc-js channel credentials. */
import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import { ChannelCredentials, type ChannelOptions, credentials } from "@grpc/grpc-js";
import { refuseUnknownOptions } from "../../../known-options.js";
import type { Logger } from "../../../logger.js";
import { type PemSource, pemSource } from "../../../pem.js";

/** `ca` or `caFile` alone is enough for a server that asks for no client certificate. */
export interface EtcdTlsOptions {
  /** The authorities to trust in place of the system's, as PEM text or its bytes. */
  readonly ca?: string | Buffer;
  /** The client certificate, with `key`. */
  readonly cert?: string | Buffer;
  /** The private key of `cert`. */
  readonly key?: string | Buffer;
  /**
   * The name of a PEM file in place of `ca`. Files are read again before each connection and every 10 s; when they changed,
   * open connections are replaced by new ones, one after another and with nothing lost.
   */
  readonly caFile?: string;
  /** The name of a PEM file in place of `cert`. */
  readonly certFile?: string;
  /** The name of a PEM file in place of `key`. */
  readonly keyFile?: string;
  /** The name that the members' certificates must bear; default: the host of each endpoint. */
  readonly serverName?: string;
}

const KNOWN: Readonly<Record<keyof EtcdTlsOptions, true>> = {
  ca: true,
  cert: true,
  key: true,
  caFile: true,
  certFile: true,
  keyFile: true,
  serverName: true,
};

export interface ChannelSecurity {
  readonly credentials: ChannelCredentials;
  readonly options: ChannelOptions;
}

export interface Security extends Pick<PemSource, "version" | "changes" | "refresh"> {
  /** Of a connection that is made now. */
  for(host: string): ChannelSecurity;
}

/** `true` trusts the system's authorities, `undefined` is plain text. Throws `INVALID_ARGUMENT` for PEM that cannot be used. */
export function channelSecurity(tls: true | EtcdTlsOptions | undefined, logger: Logger): Security {
  if (tls === undefined) {
    const security = { credentials: ChannelCredentials.createInsecure(), options: {} };
    return { version: 0, changes: false, refresh: () => {}, for: () => security };
  }
  if (tls !== true) refuseUnknownOptions("tls", tls, KNOWN);
  const { serverName, ...pem } = tls === true ? {} : tls;
  return secured(pemSource(pem, "etcd", logger), serverName);
}

function secured(pem: PemSource, serverName: string | undefined): Security {
  return {
    changes: pem.changes,
    get version() {
      return pem.version;
    },
    refresh: () => pem.refresh(),
    for(host) {
      pem.refresh();
      const name = serverName ?? host;
      return {
        // The name to check is closed over, because grpc-js would check against the one that it sends.
        credentials: credentials.createFromSecureContext(pem.context, {
          checkServerIdentity: (_sent, certificate) => checkServerIdentity(name, certificate),
        }),
        options: { "grpc.ssl_target_name_override": isIP(name) === 0 ? name : noName },
      };
    },
  };
}

/** Sent where an address is called by its number: TLS knows only names (RFC 6066), and Node warns of anything else. */
const noName = "address.invalid";
