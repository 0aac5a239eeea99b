/** TLS as rollcall's options say it, as grpc-js's credentials. */
import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import {
  type CallCredentials,
  type ChannelCredentials,
  type ChannelOptions,
  credentials,
  ServerCredentials,
} from "@grpc/grpc-js";
import { toError } from "../../errors.js";
import { type Logger, RollcallError } from "../../index.js";
import { resolveLogger } from "../../logger.js";
import { pemSource } from "../../pem.js";

/** PEM text or bytes, not a file's name. */
export type Pem = string | Uint8Array;

export interface ClientTlsOptions {
  /** Who is trusted to sign servers; default: the system's roots. */
  readonly ca?: Pem;
  /** The client's own certificate, with `key`, for servers that ask for one. */
  readonly cert?: Pem;
  /** The private key of `cert`. */
  readonly key?: Pem;
  /** The name of a PEM file in place of `ca`. Files are read again before each connection, so that they can be renewed. */
  readonly caFile?: string;
  /** The name of a PEM file in place of `cert`. */
  readonly certFile?: string;
  /** The name of a PEM file in place of `key`. */
  readonly keyFile?: string;
  /** The name that the server's certificate must carry; default: the service, since addresses are IPs. */
  readonly serverName?: string;
}

export interface ServerTlsOptions {
  /** The certificate that the server shows, with those between it and the root. */
  readonly cert: Pem;
  /** The private key of `cert`. */
  readonly key: Pem;
  /** When given, every client must show a certificate signed by it. */
  readonly ca?: Pem;
}

export interface ClientSecurity {
  /** Of a connection that is made now; another object when certificates in files have changed. */
  credentials(): ChannelCredentials;
  /** Whether they may. */
  readonly changes: boolean;
  /** What makes a channel check the name that it should. */
  readonly channelOptions: ChannelOptions;
}

export interface ClientSecurityOptions {
  readonly tls?: true | ClientTlsOptions | undefined;
  readonly callCredentials?: CallCredentials | undefined;
  readonly service?: string | undefined;
  readonly logger?: Logger | false | undefined;
}

export function clientSecurity({ tls, callCredentials, service, logger }: ClientSecurityOptions): ClientSecurity {
  if (tls === undefined) {
    if (callCredentials) {
      throw new RollcallError(
        "INVALID_ARGUMENT",
        "callCredentials without tls would send secrets in clear text: set tls",
      );
    }
    const insecure = credentials.createInsecure();
    return { credentials: () => insecure, changes: false, channelOptions: {} };
  }
  const { serverName = service, ...files } = tls === true ? {} : tls;
  const source = pemSource(files, service === undefined ? "a service" : `"${service}"`, resolveLogger(logger));
  const made = () => {
    const { ca, cert, key } = source.pem;
    const channel = credentials.createSsl(buffer(ca), buffer(key), buffer(cert));
    return callCredentials ? credentials.combineChannelCredentials(channel, callCredentials) : channel;
  };
  let current = { version: source.version, credentials: made() };
  return {
    changes: source.changes,
    credentials() {
      if (source.changes) source.refresh();
      if (source.version !== current.version) current = { version: source.version, credentials: made() };
      return current.credentials;
    },
    channelOptions: serverName
      ? { "grpc.ssl_target_name_override": serverName, "grpc.default_authority": serverName }
      : {},
  };
}

export function serverCredentials(tls: ServerTlsOptions | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  for (const name of ["cert", "key"] as const) {
    if (tls[name] !== undefined) continue;
    throw new RollcallError("INVALID_ARGUMENT", `tls of a server needs \`${name}\`, as PEM text`);
  }
  refuseUnreadable(tls);
  const pair = { cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) };
  return ServerCredentials.createSsl(buffer(tls.ca), [pair], tls.ca !== undefined);
}

/** Said here, because grpc-js says it in OpenSSL's words, for a server only once it binds, and for a `ca` never. */
function refuseUnreadable({ ca, cert, key }: { readonly [K in "ca" | "cert" | "key"]?: Pem | undefined }): void {
  try {
    if (ca !== undefined) new X509Certificate(Buffer.from(ca));
    createSecureContext({ cert: buffer(cert) ?? undefined, key: buffer(key) ?? undefined });
  } catch (error) {
    throw new RollcallError(
      "INVALID_ARGUMENT",
      `tls cannot be used: ${toError(error).message}; ca, cert and key are PEM text, not the names of files`,
      { cause: error },
    );
  }
}

function buffer(pem: Pem | undefined): Buffer | null {
  return pem === undefined ? null : Buffer.from(pem);
}
