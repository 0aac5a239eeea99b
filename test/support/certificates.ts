/** Throw-away certificates, made with openssl in a folder of their own. */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { temporaryFolder } from "./temporary-folder.js";

export interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface Authority extends AsyncDisposable {
  readonly ca: string;
  readonly caFile: string;
  /** `names` as openssl writes them: `DNS:etcd.test`, `IP:127.0.0.1`. A client's certificate needs none. */
  issue(commonName: string, names?: readonly string[]): Promise<Certificate>;
  /** A client's certificate that was good until yesterday. */
  issueExpired(commonName: string): Promise<Certificate>;
  remove(): Promise<void>;
}

export async function createAuthority(): Promise<Authority> {
  const folder = await temporaryFolder("certificates");
  const { file } = folder;
  const openssl = (...args: readonly string[]) => promisify(execFile)("openssl", [...args], { cwd: folder.path });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await openssl(
    ...["req", "-x509", ...newKey, "-days", "2", "-subj", "/CN=rollcall test authority"],
    ...["-keyout", "ca.key", "-out", "ca.crt"],
  );
  const remove = async () => {
    await folder[Symbol.asyncDispose]();
  };
  const request = (commonName: string) =>
    openssl(
      ...["req", ...newKey, "-subj", `/CN=${commonName}`],
      ...["-keyout", `${commonName}.key`, "-out", `${commonName}.csr`],
    );
  const issued = async (commonName: string): Promise<Certificate> => ({
    cert: await readFile(file(`${commonName}.crt`), "utf8"),
    key: await readFile(file(`${commonName}.key`), "utf8"),
    certFile: file(`${commonName}.crt`),
    keyFile: file(`${commonName}.key`),
  });
  return {
    ca: await readFile(file("ca.crt"), "utf8"),
    caFile: file("ca.crt"),
    async issue(commonName, names = []) {
      await request(commonName);
      await writeFile(file(`${commonName}.ext`), names.length > 0 ? `subjectAltName=${names.join(",")}\n` : "");
      await openssl(
        ...["x509", "-req", "-in", `${commonName}.csr`, "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"],
        ...["-days", "2", "-extfile", `${commonName}.ext`, "-out", `${commonName}.crt`],
      );
      return await issued(commonName);
    },
    async issueExpired(commonName) {
      await request(commonName);
      // Only `openssl ca` takes dates, and it wants its books kept.
      await writeFile(file("index.txt"), "");
      await writeFile(file("ca.cnf"), caConfig);
      const inDays = (days: number) =>
        new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]|\.\d+/g, "");
      await openssl(
        ...["ca", "-batch", "-config", "ca.cnf", "-cert", "ca.crt", "-keyfile", "ca.key"],
        ...["-startdate", inDays(-2), "-enddate", inDays(-1), "-in", `${commonName}.csr`, "-out", `${commonName}.crt`],
      );
      return await issued(commonName);
    },
    remove,
    [Symbol.asyncDispose]: remove,
  };
}

const caConfig = `
[ca]
default_ca = books
[books]
database = index.txt
new_certs_dir = .
default_md = sha256
rand_serial = yes
policy = any
[any]
commonName = supplied
`;
