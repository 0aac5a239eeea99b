/** The etcd client with users and passwords, and over TLS. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { toError } from "../../src/errors.js";
import type { EtcdClientOptions } from "../../src/registry/etcd/client/client.js";
import { cancelReasonError } from "../../src/registry/etcd/client/etcd-error.js";
import { KV, Lease, type LeaseKeepAliveResponse } from "../../src/registry/etcd/proto/etcd_pb.js";
import { type Authority, type Certificate, createAuthority } from "../support/certificates.js";
import { type EtcdMember, startEtcd } from "../support/etcd.js";
import { get, put, quietClient, watch } from "../support/etcd-calls.js";

describe("with authentication", () => {
  const root = { user: "root", password: "root-password" };
  const book = { user: "book", password: "book-password" };
  const tokenTtlSeconds = 2;
  let etcd: EtcdMember;
  const tokenExpires = () => new Promise((resolve) => setTimeout(resolve, tokenTtlSeconds * 1_000 + 2_000));

  beforeAll(async () => {
    etcd = await startEtcd({ args: ["--auth-token-ttl", String(tokenTtlSeconds)] });
    await etcd.etcdctl("role", "add", "root");
    await etcd.etcdctl("user", "add", `${root.user}:${root.password}`);
    await etcd.etcdctl("user", "grant-role", "root", "root");
    await etcd.etcdctl("role", "add", "book");
    await etcd.etcdctl("role", "grant-permission", "book", "--prefix=true", "readwrite", "/services/book/");
    await etcd.etcdctl("user", "add", `${book.user}:${book.password}`);
    await etcd.etcdctl("user", "grant-role", "book", "book");
  });
  afterAll(() => etcd?.stop());

  it("goes on without a token where etcd runs without authentication", async () => {
    await using client = quietClient([etcd.endpoint], book);
    await put(client, "/services/book/a", "1");
    expect(await get(client, "/services/book/a")).toBe("1");
  });

  it("logs in when authentication is turned on while it runs", async () => {
    await using client = quietClient([etcd.endpoint], book);
    await put(client, "/services/book/a", "1");
    await etcd.etcdctl("auth", "enable");
    await put(client, "/services/book/a", "2");
    expect(await get(client, "/services/book/a")).toBe("2");
  });

  it("gets a new token when the old one expired, for calls and for streams", async () => {
    await using client = quietClient([etcd.endpoint], book);
    await put(client, "/services/book/a", "1");
    await tokenExpires();
    await put(client, "/services/book/a", "2");
    await tokenExpires();
    const refused = watch(client, "/services/book/");
    const { canceled, cancelReason } = await refused.created;
    expect(canceled).toBe(true);
    expect(cancelReasonError(cancelReason, refused.stream.member)).toMatchObject({ kind: "unauthenticated" });
    refused.stream.renewToken();
    refused.stream.cancel();
    expect(await watch(client, "/services/book/").created).toMatchObject({ canceled: false });
  });

  it("has a watch probed with its token, so that its user needs no more than the prefix", async () => {
    await using client = quietClient([etcd.endpoint], book);
    const { created, ended } = watch(client, "/services/book/");
    expect(await created).toMatchObject({ canceled: false });
    const outcome = await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 5_000, "silent"))]);
    expect(outcome).toBe("silent");
  });

  it("keeps a lease alive across an expired token, with one refused stream at most", async () => {
    await using client = quietClient([etcd.endpoint], book);
    const { ID } = await client.unary(Lease.method.leaseGrant, { TTL: 60n });
    await client.unary(KV.method.put, { key: Buffer.from("/services/book/leased"), lease: ID });
    const keepAlive = () =>
      new Promise<LeaseKeepAliveResponse | Error>((resolve) => {
        const stream = client.stream(
          Lease.method.leaseKeepAlive,
          { onMessage: resolve, onEnd: resolve },
          { probePrefix: "/services/book/" },
        );
        stream.send({ ID });
      });
    await tokenExpires();
    const first = await keepAlive();
    expect(first instanceof Error ? await keepAlive() : first).toMatchObject({ ID, TTL: 60n });
  });

  it("says that it waits for the password, and not for etcd, and asks again where that takes too long", async () => {
    let asked = 0;
    const password = () => {
      asked += 1;
      return asked === 1 ? new Promise<string>(() => {}) : book.password;
    };
    await using client = quietClient([etcd.endpoint], { ...book, password, timeoutMs: 1_000 });
    const read = () => client.unary(KV.method.range, { key: Buffer.from("/services/book/a") }, { timeoutMs: 500 });
    await expect(read()).rejects.toMatchObject({
      message: "no etcd member answered within 500 ms: the function given as `password` has not answered yet",
    });
    const isRead = () =>
      read().then(
        () => true,
        () => false,
      );
    await expect.poll(isRead, { timeout: 10_000 }).toBe(true);
    expect(asked).toBe(2);
  });

  it("rejects with the remedy when the password is wrong, the permission is missing or no user is given", async () => {
    await using wrong = quietClient([etcd.endpoint], { ...book, password: "wrong" });
    await expect(get(wrong, "/services/book/a")).rejects.toMatchObject({
      code: "REGISTRY_DENIED",
      kind: "denied",
      message: expect.stringMatching(/authentication failed.*check `user` and `password`/),
    });
    expect(await watch(wrong, "/services/book/").ended).toMatchObject({ kind: "denied" });
    await using allowed = quietClient([etcd.endpoint], book);
    await expect(get(allowed, "/other")).rejects.toMatchObject({ kind: "denied", code: "REGISTRY_DENIED" });
    await using nobody = quietClient([etcd.endpoint]);
    await expect(get(nobody, "/services/book/a")).rejects.toMatchObject({
      kind: "unauthenticated",
      message: expect.stringContaining("give `user` and `password`"),
    });
  });
});

describe("over TLS", () => {
  let authority: Authority;
  let stranger: Authority;
  let clientCertificate: Certificate;
  let plain: EtcdMember;
  let mutual: EtcdMember;

  beforeAll(async () => {
    [authority, stranger] = await Promise.all([createAuthority(), createAuthority()]);
    const server = await authority.issue("etcd", ["IP:127.0.0.1", "DNS:etcd.test"]);
    clientCertificate = await authority.issue("client");
    const serverArgs = ["--cert-file", server.certFile, "--key-file", server.keyFile];
    const { certFile, keyFile } = clientCertificate;
    const clientArgs = ["--cacert", authority.caFile, "--cert", certFile, "--key", keyFile];
    [plain, mutual] = await Promise.all([
      startEtcd({ tls: { serverArgs, clientArgs } }),
      startEtcd({
        tls: { serverArgs: [...serverArgs, "--client-cert-auth", "--trusted-ca-file", authority.caFile], clientArgs },
      }),
    ]);
  });
  afterAll(() => Promise.all([plain?.stop(), mutual?.stop(), authority?.remove(), stranger?.remove()]));

  it("needs no more than the authority", async () => {
    await using client = quietClient([plain.endpoint], { tls: { ca: authority.ca } });
    await put(client, "k", "1");
    expect(await get(client, "k")).toBe("1");
    expect(await watch(client, "k").created).toMatchObject({ created: true });
  });

  it("checks the name that it is told to", async () => {
    const tls = { ca: Buffer.from(authority.ca), serverName: "etcd.test" };
    await using client = quietClient([`https://${plain.endpoint}`], { tls });
    await put(client, "k", "1");
    await using wrong = quietClient([plain.endpoint], { tls: { ...tls, serverName: "other.test" }, timeoutMs: 1_000 });
    await expect(get(wrong, "k")).rejects.toThrow(/other\.test.*`tls\.serverName`/);
  });

  it("shows its certificate to a member that asks for one", async () => {
    const { cert, key } = clientCertificate;
    await using client = quietClient([mutual.endpoint], { tls: { ca: authority.ca, cert, key } });
    await put(client, "k", "1");
    await using without = quietClient([mutual.endpoint], { tls: { ca: authority.ca }, timeoutMs: 1_000 });
    await expect(get(without, "k")).rejects.toThrow(/give `tls\.cert` and `tls\.key`/);
  });

  it("says what to mend when client and member do not agree", async () => {
    const answer = async (endpoint: string, options: Partial<EtcdClientOptions>) => {
      await using client = quietClient([endpoint], { timeoutMs: 1_000, ...options });
      return await get(client, "k").catch(toError);
    };
    await using withoutTls = await startEtcd();
    const [unknown, system, plainText, needless] = await Promise.all([
      answer(plain.endpoint, { tls: { ca: stranger.ca } }),
      answer(plain.endpoint, { tls: true }),
      answer(plain.endpoint, {}),
      answer(withoutTls.endpoint, { tls: true }),
    ]);
    expect(unknown).toMatchObject({ message: expect.stringMatching(/certificate.*`tls\.ca`/) });
    expect(system).toMatchObject({ message: expect.stringMatching(/certificate.*`tls\.ca`/) });
    expect(needless).toMatchObject({ message: expect.stringContaining("speaks no TLS") });
    expect(plainText).toMatchObject({ message: expect.stringContaining("if it wants TLS") });
  });
});
