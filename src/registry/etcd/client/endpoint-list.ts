/**
 * The members as a user writes them: `host:port`, or `http(s)://host:port` as ETCDCTL_ENDPOINTS may hold them.
 *
 * TLS is one decision for the whole client, never one per member: a password must not leave in plain text because one
 * endpoint of three was written without `https://`.
 */
import { RollcallError } from "../../../errors.js";

export interface EndpointList {
  /** Each as `host:port`, without repetition, in the order given; IPv6 addresses in brackets. */
  readonly targets: readonly string[];
  readonly secure: boolean;
}

/** Throws `INVALID_ARGUMENT` for what cannot be an etcd endpoint. `tls` says whether the `tls` option was given. */
export function parseEndpoints(endpoints: readonly string[], tls: boolean): EndpointList {
  if (!Array.isArray(endpoints)) throw invalid('`endpoints` is not a list: give an array, as ["127.0.0.1:2379"]');
  if (endpoints.length === 0) throw invalid("`endpoints` is empty: give at least one, e.g. 127.0.0.1:2379");
  const parsed = endpoints.map(parseEndpoint);
  const secure = tls || parsed.some(({ scheme }) => scheme === "https");
  const plain = parsed.find(({ scheme }) => scheme === "http");
  if (secure && plain) {
    throw invalid(
      `the endpoint ${plain.text} asks for plain text and ${tls ? "`tls` is given" : "another is https://"}: ` +
        "write https:// for all endpoints, or use TLS for none",
    );
  }
  return { targets: [...new Set(parsed.map(({ target }) => target))], secure };
}

/** The host of a `host:port`, an IPv6 address without its brackets. */
export function hostOf(target: string): string {
  return target.slice(0, target.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}

interface ParsedEndpoint {
  readonly text: string;
  readonly scheme: "http" | "https" | undefined;
  readonly target: string;
}

function parseEndpoint(endpoint: string): ParsedEndpoint {
  const text = endpoint.trim();
  const [, scheme, host = "", port] =
    /^(?:(https?):\/\/)?(\[[0-9a-f:.%]+\]|[^\s:/@?#[\]]+)(?::(\d+))?\/?$/i.exec(text) ?? [];
  if (host === "") {
    throw invalid(`"${endpoint}" is not an etcd endpoint: write host:port or https://host:port, e.g. 10.0.0.1:2379`);
  }
  if (port === undefined) throw invalid(`the etcd endpoint "${text}" has no port: etcd's own is 2379, ${text}:2379`);
  if (Number(port) < 1 || Number(port) > 65_535) throw invalid(`the etcd endpoint "${text}" has an impossible port`);
  return {
    text,
    scheme: scheme?.toLowerCase() as ParsedEndpoint["scheme"], // the expression lets no other through
    target: `${host}:${Number(port)}`,
  };
}

function invalid(message: string): RollcallError {
  return new RollcallError("INVALID_ARGUMENT", message);
}
