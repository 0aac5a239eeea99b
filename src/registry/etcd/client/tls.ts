/** How the connections to etcd are secured: the user's PEM texts as grpc-js channel credentials. */
import { isIP } from "node:net";
import { checkServerIdentity, createSecureContext, type SecureContext } from "node:tls";
import { ChannelCredentials, type ChannelOptions, credentials } from "@grpc/grpc-js";
import { RollcallError, toError } from "../../../errors.js";

/** PEM texts or their bytes, never file names. `ca` alone is enough for a server that asks for no client certificate. */
export interface EtcdTlsOptions {
  /** The authorities to trust in place of the system's. */
  readonly ca?: string | Buffer;
  /** The client certificate, with `key`. */
  readonly cert?: string | Buffer;
  /** The private key of `cert`. */
  readonly key?: string | Buffer;
  /** The name that the members' certificates must bear; default: the host of each endpoint. */
  readonly serverName?: string;
}

export interface ChannelSecurity {
  readonly credentials: ChannelCredentials;
  readonly options: ChannelOptions;
}

/**
 * Gives each member's host its credentials. `true` trusts the system's authorities, `undefined` is plain text. Throws
 * `INVALID_ARGUMENT` for PEM that cannot be read.
 */
export function channelSecurity(tls: true | EtcdTlsOptions | undefined): (host: string) => ChannelSecurity {
  if (tls === undefined) {
    const security = { credentials: ChannelCredentials.createInsecure(), options: {} };
    return () => security;
  }
  const { serverName, ...pem } = tls === true ? {} : tls;
  const context = readPem(pem);
  return (host) => {
    const name = serverName ?? host;
    return {
      // The name to check is closed over, because grpc-js would check against the one that it sends.
      credentials: credentials.createFromSecureContext(context, {
        checkServerIdentity: (_sent, certificate) => checkServerIdentity(name, certificate),
      }),
      options: { "grpc.ssl_target_name_override": isIP(name) === 0 ? name : noName },
    };
  };
}

/** Sent where an address is called by its number: TLS knows only names (RFC 6066), and Node warns of anything else. */
const noName = "address.invalid";

function readPem(pem: Pick<EtcdTlsOptions, "ca" | "cert" | "key">): SecureContext {
  if ((pem.cert === undefined) !== (pem.key === undefined)) {
    throw new RollcallError("INVALID_ARGUMENT", "`tls.cert` and `tls.key` go together: give both or neither");
  }
  try {
    return createSecureContext(pem);
  } catch (cause) {
    const message = `\`tls\` cannot be used: ${toError(cause).message}; give PEM text, not a file name`;
    throw new RollcallError("INVALID_ARGUMENT", message, { cause });
  }
}
