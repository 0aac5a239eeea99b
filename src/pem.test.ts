import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Authority, type Certificate, createAuthority } from "../test/support/certificates.js";
import { silentLogger } from "./logger.js";
import { type PemOptions, pemSource } from "./pem.js";

let authority: Authority;
let old: Certificate;
let renewed: Certificate;

beforeAll(async () => {
  authority = await createAuthority();
  [old, renewed] = await Promise.all([authority.issue("old"), authority.issue("renewed")]);
});
afterAll(() => authority.remove());

/** Files that hold the old pair, a source over them, and what it said. */
async function written(name: string) {
  const files = ["ca", "cert", "key"].map((part) => join(authority.caFile, "..", `${name}-${part}.pem`));
  const [caFile = "", certFile = "", keyFile = ""] = files;
  const write = async ({ cert, key }: { readonly cert: string; readonly key: string }) => {
    await Promise.all([writeFile(certFile, cert), writeFile(keyFile, key)]);
  };
  await writeFile(caFile, authority.ca);
  await write(old);
  const said: string[] = [];
  const logger = {
    warn: (message: string) => void said.push(`warn: ${message}`),
    info: (message: string) => void said.push(`info: ${message}`),
  };
  return { source: pemSource({ caFile, certFile, keyFile }, "etcd", logger), caFile, certFile, keyFile, write, said };
}

it("takes up what was written, and nothing when it says the same", async () => {
  const { source, write, said } = await written("changed");
  const before = source.context;
  await write(old);
  source.refresh();
  expect(source).toMatchObject({ changes: true, version: 0, context: before });
  await write(renewed);
  source.refresh();
  expect(source.version).toBe(1);
  expect(source.context).not.toBe(before);
  source.refresh();
  expect(source.version).toBe(1);
  expect(said).toEqual(["info: the certificates for etcd have changed; new connections use them"]);
});

it.each<[what: string, half: (files: Awaited<ReturnType<typeof written>>) => Promise<void>, complaint: RegExp]>([
  ["a key that is not written yet", ({ certFile }) => writeFile(certFile, renewed.cert), /key values mismatch/],
  ["an empty file", ({ keyFile }) => writeFile(keyFile, ""), /`tls\.keyFile` \(.*-key\.pem\) is not PEM/],
  ["a file cut off", ({ certFile }) => writeFile(certFile, renewed.cert.slice(0, 300)), /certFile.* is cut off/],
  ["a file that is gone", ({ caFile }) => rm(caFile), /`tls\.caFile` cannot be read: ENOENT/],
  [
    "half a list of authorities",
    ({ caFile }) => writeFile(caFile, authority.ca + authority.ca.slice(0, 300)),
    /caFile.* is cut off/,
  ],
])("goes on with the old at %s, and warns once", async (what, half, complaint) => {
  const files = await written(what.replaceAll(" ", "-"));
  const { source, said } = files;
  const before = source.context;
  await half(files);
  source.refresh();
  source.refresh();
  expect(source).toMatchObject({ version: 0, context: before });
  expect(said).toEqual([expect.stringMatching(complaint)]);
  await writeFile(files.caFile, authority.ca);
  await files.write(renewed);
  source.refresh();
  expect(source.version).toBe(1);
  expect(said.at(-1)).toBe("warn: the certificates for etcd can be used again");
});

it.each<[PemOptions, RegExp]>([
  [{ ca: "a", caFile: "b" }, /`tls\.ca` and `tls\.caFile` are one too many: give either/],
  [{ certFile: "cert.pem" }, /`tls\.cert` and `tls\.key` go together/],
  [{ caFile: "no-such-file" }, /`tls\.caFile` cannot be read: ENOENT.*no-such-file/],
  [{ caFile: "package.json" }, /`tls\.caFile` \(package\.json\) is not PEM/],
  [{ ca: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" }, /a certificate that cannot be read/],
])("refuses %j at the start", (options, complaint) => {
  expect(() => pemSource(options, "etcd", silentLogger)).toThrow(complaint);
});

it("takes the text of one part and the files of others", async () => {
  const { certFile, keyFile } = old;
  const source = pemSource({ ca: Buffer.from(authority.ca), certFile, keyFile }, "etcd", silentLogger);
  expect(source).toMatchObject({ version: 0, changes: true });
  expect(pemSource({ ca: authority.ca }, "etcd", silentLogger).changes).toBe(false);
});
