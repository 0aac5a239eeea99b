/** Certificates that change under a program that goes on. */
import { writeFile } from "node:fs/promises";
import { type Membership, memory } from "rollcall";
import { etcd } from "rollcall/etcd";
import { grpcClient } from "rollcall/grpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { firstMatch } from "../../../src/live.js";
import { type Authority, type Certificate, createAuthority } from "../../support/certificates.js";
import { startCli } from "../../support/cli.js";
import { mountSecret } from "../../support/mounted-secret.js";
import { address, eventually, stored } from "../../support/registrations.js";
import { startTalk } from "../../support/talk.js";
import { Talk } from "../../support/talk_pb.js";
import type { TcpProxy } from "../../support/tcp-proxy.js";
import { startLaboratory, TTL_MS } from "../lab/laboratory.js";

let authority: Authority;
let successor: Authority;
/** Of `authority`, but for the last two. */
let certificates: Record<
  "admin" | "old" | "renewed" | "expired" | "server" | "serverOfSuccessor" | "renewedBySuccessor",
  Certificate
>;

beforeAll(async () => {
  [authority, successor] = await Promise.all([createAuthority(), createAuthority()]);
  certificates = {
    admin: await authority.issue("admin"),
    old: await authority.issue("old"),
    renewed: await authority.issue("renewed"),
    expired: await authority.issueExpired("expired"),
    server: await authority.issue("etcd", ["IP:127.0.0.1"]),
    serverOfSuccessor: await successor.issue("etcd", ["IP:127.0.0.1"]),
    renewedBySuccessor: await successor.issue("renewed"),
  };
});
afterAll(() => Promise.all([authority?.remove(), successor?.remove()]));

const pair = ({ cert, key }: Certificate) => ({ cert, key });

/** A member that asks for certificates of `authority` and reads its own from files, behind a proxy. */
async function startSecuredEtcd(version: "3.4" | "3.5" = "3.5") {
  const server = await mountSecret(pair(certificates.server));
  const trusted = await mountSecret({ ca: authority.ca + successor.ca });
  const { admin } = certificates;
  const lab = await startLaboratory({
    size: 1,
    version,
    tls: {
      serverArgs: [
        ...["--cert-file", server.file("cert"), "--key-file", server.file("key")],
        ...["--client-cert-auth", "--trusted-ca-file", authority.caFile],
      ],
      clientArgs: ["--cacert", trusted.file("ca"), "--cert", admin.certFile, "--key", admin.keyFile],
    },
  });
  const network = await lab.network();
  const proxy = network.proxies[0] as TcpProxy; // one member, one proxy
  return {
    lab,
    /** The files of its own certificate. */
    server: lab.owns(server),
    trusted: lab.owns(trusted),
    proxy,
    etcdctl: lab.cluster.etcdctl,
    /** Resolves when both connections were made anew after the first `before`, and the old ones are closed. */
    replaced: (before: number) =>
      eventually(
        async () => [proxy.accepted - before, proxy.open] as const,
        ([made, open]) => made >= 2 && open === 2,
        45_000, // the files are looked at every 10 s, and a busy machine takes its time
      ),
    [Symbol.asyncDispose]: () => lab.stop(),
  };
}

/** The same with a registration and a view of `book`, whose registry has its certificates in files. */
async function startSecured(version?: "3.4" | "3.5") {
  const secured = await startSecuredEtcd(version);
  const { lab, proxy, etcdctl } = secured;
  const files = lab.owns(await mountSecret({ ca: authority.ca, ...pair(certificates.old) }));
  const warnings: string[] = [];
  const registry = lab.owns(
    etcd({
      endpoints: [proxy.endpoint],
      tls: { caFile: files.file("ca"), certFile: files.file("cert"), keyFile: files.file("key") },
      ttlMs: TTL_MS,
      logger: {
        warn: (message) => {
          if (message.includes("certificates")) warnings.push(message);
        },
        info: () => {},
      },
    }),
  );
  const registration = await registry.register("book", { address });
  const instancer = registry.instancer("book");
  await firstMatch(instancer, ({ state }) => state === "live", AbortSignal.timeout(10_000));
  const disturbances: string[] = [];
  registration.subscribe(({ state }) => {
    if (state !== "registered" && state !== "suspect") disturbances.push(state);
  });

  return {
    ...secured,
    files,
    registration,
    instancer,
    /** When the registration was not kept. A busy machine may have it in doubt, or a view stale, for a moment. */
    disturbances,
    /** Of certificates. */
    warnings,
    warned: (text: RegExp) =>
      eventually(
        async () => warnings.join("\n"),
        (said) => text.test(said),
      ),
    /** Puts an instance and waits for a view with it. */
    async sees(host: string): Promise<Membership> {
      await etcdctl("put", `/services/book/${host}:1`, `${host}:1`);
      return firstMatch(
        instancer,
        (view) => view.state === "live" && view.instances.some((each) => each.address === `${host}:1`),
        AbortSignal.timeout(15_000),
      );
    },
  };
}

describe.concurrent("28: certificates in files", () => {
  test.each(["3.4", "3.5"] as const)(
    "28: a renewed certificate is taken up under churn, with no event missed and the same lease, by etcd %s",
    async (version) => {
      await using at = await startSecured(version);
      const leaseId = at.registration.lease?.id;
      const made = at.proxy.accepted;
      await at.files.update({ ca: authority.ca, ...pair(certificates.renewed) });
      let churning = true;
      const churn = async () => {
        let puts = 0;
        for (; churning; puts += 1) await at.etcdctl("put", `/services/book/churn-${puts}:1`, `churn-${puts}:1`);
        return puts;
      };
      const churned = churn();
      await at.replaced(made);
      churning = false;
      const puts = await churned;
      const view = await at.sees("last");
      expect(view.state !== "pending" && view.instances.length).toBe(puts + 2);
      expect(at.disturbances).toEqual([]);
      expect((await stored(at))?.lease).toBe(leaseId);
      expect(at.warnings).toEqual([]);
      expect(at.proxy.accepted - made).toBeLessThan(6);
    },
  );

  test("28: streams on a connection that was passed over as too slow move as well", async () => {
    await using at = await startSecured();
    await at.proxy.set({ delayMs: 600 }); // more than a renewal may take: the next goes over a new connection, the watch stays
    await eventually(
      async () => at.proxy.open,
      (open) => open > 2,
      45_000,
    );
    await at.proxy.set("pass");
    const made = at.proxy.accepted;
    await at.files.update({ ca: authority.ca, ...pair(certificates.renewed) });
    await at.replaced(made);
    await at.sees("afterwards");
  });

  test("28: half a renewal leaves the old pair in use, also for a new connection, and warns once", async () => {
    await using at = await startSecured();
    const made = at.proxy.accepted;
    await writeFile(at.files.file("cert"), certificates.renewed.cert);
    await at.warned(/certificates for etcd were changed and cannot be used: .*key values mismatch/);
    at.proxy.cut();
    await at.sees("after-the-cut");
    await at.replaced(made);
    await writeFile(at.files.file("key"), certificates.renewed.key);
    await at.warned(/can be used again/);
    await at.replaced(made + 2);
    await at.sees("renewed");
    expect(at.disturbances).toEqual([]);
    expect(at.warnings.length).toBe(2);
  });

  test("28: what etcd does not take leaves the connections as they are, and says so once", async () => {
    await using at = await startSecured();
    await at.files.update({ ca: authority.ca, ...pair(certificates.expired) });
    await at.warned(
      /no connection with the changed certificates: .*certificate has expired: renew `tls\.cert`.*stays in use/,
    );
    await at.sees("while-refused");
    expect(at.disturbances).toEqual([]);
    at.proxy.cut();
    await firstMatch(
      at.instancer,
      (view) => view.state === "stale" && view.error.message.includes("the client certificate has expired"),
      AbortSignal.timeout(15_000),
    );
    await at.files.update({ ca: authority.ca, ...pair(certificates.renewed) });
    await at.sees("renewed");
    await firstMatch(at.registration, ({ state }) => state === "registered", AbortSignal.timeout(15_000));
    expect(at.warnings.filter((warning) => warning.includes("changed certificates")).length).toBe(1);
  });

  test("28: an authority is replaced by way of both, with etcd's own certificate between", async () => {
    await using at = await startSecured();
    const made = at.proxy.accepted;
    await at.files.update({ ca: authority.ca + successor.ca, ...pair(certificates.old) });
    await at.replaced(made);
    await at.server.update(pair(certificates.serverOfSuccessor));
    at.proxy.cut();
    await at.sees("with-the-new-server-certificate");
    const before = at.proxy.accepted;
    await at.files.update({ ca: successor.ca, ...pair(certificates.old) });
    await at.replaced(before);
    await at.sees("with-the-new-authority");
    expect(at.disturbances).toEqual([]);
    expect(at.warnings).toEqual([]);
  });

  test("28: `rollcall register` outlives a rotation", async () => {
    await using at = await startSecuredEtcd();
    await using files = await mountSecret({ ca: authority.ca, ...pair(certificates.old) });
    const tls = ["--cacert", files.file("ca"), "--cert", files.file("cert"), "--key", files.file("key")];
    const args = ["register", "book", address, "--ttl", "5s", "--endpoints", at.proxy.endpoint, ...tls, "--json"];
    await using cli = startCli(args);
    await cli.event(({ event }) => event === "registered");
    const before = await stored(at);
    const made = at.proxy.accepted;
    await files.update({ ca: authority.ca, ...pair(certificates.renewed) });
    await at.replaced(made);
    // Whoever shows the old certificate is refused from here on.
    await files.update({ ca: successor.ca, ...pair(certificates.renewed) });
    await at.server.update(pair(certificates.serverOfSuccessor));
    at.proxy.cut();
    await at.replaced(made + 2);
    expect(await stored(at)).toEqual(before);
    cli.kill("SIGTERM");
    expect(await cli.ended).toMatchObject({ code: 0, stderr: "" });
    expect(cli.events().map(({ event }) => event)).toEqual(["registered", "deregistered"]);
  });

  test("28: a client of a service shows its renewed certificate, and knows a new authority, when it connects anew", async () => {
    const registry = memory();
    const start = (by: Authority, server: Certificate, listen: string) =>
      startTalk(registry, { tls: { ...pair(server), ca: by.ca }, listen });
    const before = await start(authority, certificates.server, "127.0.0.1:0");
    await using files = await mountSecret({ ca: authority.ca, ...pair(certificates.old) });
    const warnings: string[] = [];
    await using talk = grpcClient(Talk, {
      registry,
      service: "talk",
      tls: {
        ...{ caFile: files.file("ca"), certFile: files.file("cert"), keyFile: files.file("key") },
        serverName: "127.0.0.1",
      },
      logger: { warn: (message) => void warnings.push(message), info: () => {} },
    });
    expect(await talk.say({ text: "before" })).toMatchObject({ text: "before" });
    const { address } = before.handle;
    await before[Symbol.asyncDispose]();
    await using _after = await start(successor, certificates.serverOfSuccessor, address);
    // Its connection is gone, and with what it has there will be no other.
    await expect(talk.say({ text: "between" }, { timeoutMs: 2_000 })).rejects.toThrow(/certificate/);
    await writeFile(files.file("cert"), certificates.renewedBySuccessor.cert);
    await eventually(
      async () => warnings.join("\n"),
      (said) => said.includes("key values mismatch"),
    );
    await files.update({ ca: successor.ca, ...pair(certificates.renewedBySuccessor) });
    expect(await talk.say({ text: "after" })).toMatchObject({ text: "after" });
    expect(warnings.filter((warning) => warning.includes('certificates for "talk"'))).toEqual([
      expect.stringContaining("key values mismatch"),
      expect.stringContaining("can be used again"),
    ]);
  });
});
