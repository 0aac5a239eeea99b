/** The way to etcd as etcdctl is told it: the same option names, and the same variables where an option is not given. */
import { readFileSync } from "node:fs";
import type { EtcdClientOptions, EtcdTlsOptions } from "../registry/etcd/index.js";
import { asText, one } from "./options.js";
import { UsageError } from "./usage-error.js";

export const connectionOptions = {
  endpoints: one("host:port,…", "the members of etcd, or http(s)://host:port", asText, {
    otherwise: "ETCDCTL_ENDPOINTS, else 127.0.0.1:2379",
  }),
  cacert: one("file", "PEM of the authority that signed etcd's certificates; turns TLS on", asText),
  cert: one("file", "PEM of the client's certificate, with --key", asText),
  key: one("file", "PEM of the client's key, with --cert", asText),
  user: one("name:password", "where etcd runs with authentication", asText),
  "password-file": one("file", "the password of --user name, read again when etcd asks for it", asText),
};

export const prefixOption = one("path", "what stands before the service in every key", asPrefix, {
  default: "/services/",
});

export interface ConnectionValues {
  readonly endpoints?: string | undefined;
  readonly cacert?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly user?: string | undefined;
  readonly "password-file"?: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws a `UsageError` for what cannot be used, and names the variable where that is where it came from. */
export function connectionOf(values: ConnectionValues, environment: Environment = process.env): EtcdClientOptions {
  const given = (name: Exclude<keyof ConnectionValues, "password-file">): Given | undefined => {
    const variable = `ETCDCTL_${name.toUpperCase()}`;
    const text = values[name] ?? (environment[variable] || undefined);
    return text === undefined ? undefined : { text, from: values[name] === undefined ? variable : `--${name}` };
  };
  const endpoints = given("endpoints");
  const tls = tlsOf(given("cacert"), given("cert"), given("key"));
  return {
    endpoints: endpoints ? endpointsOf(endpoints) : ["127.0.0.1:2379"],
    ...(tls && { tls }),
    ...loginOf(given("user"), values["password-file"]),
  };
}

interface Given {
  readonly text: string;
  /** `--cacert` or `ETCDCTL_CACERT`. */
  readonly from: string;
}

function endpointsOf({ text, from }: Given): string[] {
  const endpoints = text
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
  if (endpoints.length > 0) return endpoints;
  throw new UsageError(`${from} is empty: give at least one endpoint, e.g. 127.0.0.1:2379`);
}

function tlsOf(cacert: Given | undefined, cert: Given | undefined, key: Given | undefined): EtcdTlsOptions | undefined {
  if (cert && !key) throw new UsageError(`${cert.from} is given without --key: give both or neither`);
  if (key && !cert) throw new UsageError(`${key.from} is given without --cert: give both or neither`);
  if (!cacert && !cert) return undefined;
  return {
    ...(cacert && { caFile: pemFile(cacert) }),
    ...(cert && key && { certFile: pemFile(cert), keyFile: pemFile(key) }),
  };
}

/** The file itself is the registry's to read, again and again; a mistake is told here, in the words of the command line. */
function pemFile({ text: file, from }: Given): string {
  const content = readable(file, from, "a PEM file");
  if (!content.includes("-----BEGIN ")) throw new UsageError(`${from}: ${file} is no PEM file`);
  return file;
}

function readable(file: string, from: string, what: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException; // reading a file fails with nothing else
    throw new UsageError(`${from}: cannot read ${file} (${code}): give ${what}`);
  }
}

function loginOf(
  user: Given | undefined,
  passwordFile: string | undefined,
): Pick<EtcdClientOptions, "user" | "password"> {
  const colon = user?.text.indexOf(":") ?? -1;
  if (passwordFile !== undefined) {
    if (!user) throw new UsageError("--password-file is given without --user: give both or neither");
    if (colon >= 0) throw new UsageError(`${user.from} has a password already: give it without, or no --password-file`);
    readable(passwordFile, "--password-file", "a file that holds the password");
    return { user: user.text, password: () => withoutNewline(readFileSync(passwordFile, "utf8")) };
  }
  if (!user) return {};
  if (colon < 1) throw new UsageError(`${user.from} has no password: write name:password, or give --password-file`);
  return { user: user.text.slice(0, colon), password: user.text.slice(colon + 1) };
}

/** Editors and `echo` end a file with one. */
function withoutNewline(text: string): string {
  return text.replace(/\r?\n$/, "");
}

function asPrefix(text: string): string {
  if (text.endsWith("/")) return text;
  throw new UsageError(`"${text}" does not end in "/": write "${text}/"`);
}
