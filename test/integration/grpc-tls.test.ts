/** TLS between client and server, with throw-away certificates. */
import { credentials, Metadata, status } from "@grpc/grpc-js";
import { memory, type Registry } from "rollcall";
import { type GrpcClientOptions, grpcClient, grpcConnect } from "rollcall/grpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Authority, type Certificate, createAuthority } from "../support/certificates.js";
import { startTalk, type TalkServer } from "../support/talk.js";
import { Talk } from "../support/talk_pb.js";

let authority: Authority;
let stranger: Authority;
let serverCertificate: Certificate;
let clientCertificate: Certificate;
let server: TalkServer;
const registry: Registry = memory();

beforeAll(async () => {
  authority = await createAuthority();
  stranger = await createAuthority();
  // Named for the service: instances are known by IP addresses, which come and go.
  serverCertificate = await authority.issue("talk", ["DNS:talk", "DNS:talk.internal"]);
  clientCertificate = await authority.issue("caller");
  server = await startTalk(registry, { tls: { cert: serverCertificate.cert, key: serverCertificate.key } });
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await authority.remove();
  await stranger.remove();
});

async function say(options: Partial<GrpcClientOptions>, registered: Registry = registry): Promise<string> {
  await using talk = grpcClient(Talk, { registry: registered, service: "talk", timeoutMs: 2_000, ...options });
  return (await talk.say({ text: "hello" })).text;
}

describe("a client", () => {
  test("expects the certificate to carry the service's name", async () => {
    expect(await say({ tls: { ca: authority.ca } })).toBe("hello");
  });

  test("or the name it is told to expect", async () => {
    expect(await say({ tls: { ca: authority.ca, serverName: "talk.internal" } })).toBe("hello");
    await expect(say({ tls: { ca: authority.ca, serverName: "other" } })).rejects.toThrow();
  });

  test("trusts nobody it was not told to trust", async () => {
    await expect(say({ tls: { ca: stranger.ca } })).rejects.toThrow();
    await expect(say({ tls: true })).rejects.toThrow();
  });

  test("without TLS does not get through", async () => {
    await expect(say({})).rejects.toThrow();
  });

  test("adds its credentials to each call, and refuses to send them in clear text", async () => {
    const callCredentials = credentials.createFromMetadataGenerator((_, done) => {
      const metadata = new Metadata();
      metadata.set("authorization", "Bearer token");
      done(null, metadata);
    });
    expect(await say({ tls: { ca: authority.ca }, callCredentials })).toBe("hello");
    expect(server.contexts.at(-1)?.metadata.get("authorization")).toEqual(["Bearer token"]);
    expect(() => grpcConnect(Talk, { callCredentials })).toThrow("clear text");
  });

  test("with half of a certificate is refused", () => {
    expect(() => grpcConnect(Talk, { tls: { cert: clientCertificate.cert } })).toThrow("go together");
  });
});

test.each(["ca", "cert", "key"] as const)("what is no PEM text as %s is refused with the remedy", async (which) => {
  const { cert, key } = clientCertificate;
  const tls = { ca: authority.ca, cert, key, [which]: "/etc/ssl/a-file.pem" };
  const refusal = (remedy: string) => ({ code: "INVALID_ARGUMENT", message: expect.stringContaining(remedy) });
  const refused = expect.objectContaining(
    refusal(`is not PEM; give PEM text, or the name of its file as \`tls.${which}File`),
  );
  expect(() => grpcConnect(Talk, { tls })).toThrow(refused);
  await expect(startTalk(memory(), { tls })).rejects.toMatchObject(refusal("not the names of files"));
});

test("a server with a ca asks its clients for certificates", async () => {
  const private_ = memory();
  await using _server = await startTalk(private_, {
    tls: { cert: serverCertificate.cert, key: serverCertificate.key, ca: authority.ca },
  });
  const { cert, key } = clientCertificate;
  expect(await say({ tls: { ca: authority.ca, cert, key } }, private_)).toBe("hello");
  await expect(say({ tls: { ca: authority.ca } }, private_)).rejects.toMatchObject({ name: "CallError" });
});

test("by hand, the name comes from the options", async () => {
  const connect = grpcConnect(Talk, { service: "talk", tls: { ca: authority.ca } });
  const connection = connect({ id: "talk", address: server.handle.address });
  expect((await connection.client.say({ text: "hello" })).text).toBe("hello");
  await connection[Symbol.asyncDispose]?.();
  const unnamed = grpcConnect(Talk, { tls: { ca: authority.ca } })({ id: "talk", address: server.handle.address });
  await expect(unnamed.client.say({ text: "hello" })).rejects.toMatchObject({ code: status.UNAVAILABLE });
  await unnamed[Symbol.asyncDispose]?.();
});
