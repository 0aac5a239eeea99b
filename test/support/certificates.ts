/** Throw-away certificates, made with openssl in a folder of their own. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

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
  remove(): Promise<void>;
}

export async function createAuthority(): Promise<Authority> {
  const folder = await mkdtemp(join(tmpdir(), "rollcall-certificates-"));
  const file = (name: string) => join(folder, name);
  const openssl = (...args: readonly string[]) => promisify(execFile)("openssl", [...args], { cwd: folder });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await openssl(
    ...["req", "-x509", ...newKey, "-days", "2", "-subj", "/CN=rollcall test authority"],
    ...["-keyout", "ca.key", "-out", "ca.crt"],
  );
  const remove = () => rm(folder, { recursive: true, force: true });
  return {
    ca: await readFile(file("ca.crt"), "utf8"),
    caFile: file("ca.crt"),
    async issue(commonName, names = []) {
      const [key, request, cert, extensions] = ["key", "csr", "crt", "ext"].map((end) => `${commonName}.${end}`) as [
        string,
        string,
        string,
        string,
      ]; // four in, four out
      await openssl("req", ...newKey, "-subj", `/CN=${commonName}`, "-keyout", key, "-out", request);
      await writeFile(file(extensions), names.length > 0 ? `subjectAltName=${names.join(",")}\n` : "");
      await openssl(
        ...["x509", "-req", "-in", request, "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"],
        ...["-days", "2", "-extfile", extensions, "-out", cert],
      );
      return {
        cert: await readFile(file(cert), "utf8"),
        key: await readFile(file(key), "utf8"),
        certFile: file(cert),
        keyFile: file(key),
      };
    },
    remove,
    [Symbol.asyncDispose]: remove,
  };
}
