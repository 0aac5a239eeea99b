/** What happens to views when the history of the cluster is another from one moment to the next. */
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../support/temporary-folder.js";
import { expectExact, type Follower, follow, holds } from "./lab/follower.js";
import { type Laboratory, nowMs, type Participant, startLaboratory } from "./lab/laboratory.js";
import { replaceMember } from "./lab/replace-member.js";
import { startWriter } from "./lab/writer.js";

/** Enough for the brake on mass deletion. */
const servers = ["a", "b", "c", "d", "e"];

/** Servers that register, and as many clients, each with another member first. */
async function start(options: Parameters<typeof startLaboratory>[0] = {}) {
  const lab = await startLaboratory(options);
  const writer = lab.owns(startWriter(lab.cluster.endpoints));
  const server = await lab.participant();
  for (const host of servers) await server.register({ address: `${host}:1` });
  const books = lab.cluster.endpoints.map((_, index) => {
    const rotated = [...lab.cluster.endpoints.slice(index), ...lab.cluster.endpoints.slice(0, index)];
    return lab.owns(follow(rotated));
  });
  await Promise.all(books.map((book) => book.until(holds(...servers))));
  return { lab, writer, server, books, [Symbol.asyncDispose]: lab.stop };
}

const killAll = ({ cluster }: Laboratory) => Promise.all(cluster.members.map((member) => member.kill()));
const isRegistered = ({ statuses }: Participant) => {
  const latest = new Map(statuses.map(({ address, state }) => [address, state]));
  return [...latest.values()].every((state) => state === "registered");
};
const allShow = (books: readonly Follower[], expected: readonly string[], epoch: number, withinMs?: number) =>
  Promise.all(
    books.map((book) =>
      book.until((view) => view.state === "live" && view.epoch === epoch && holds(...expected)(view), withinMs),
    ),
  );

describe.concurrent("a cluster of three", () => {
  test("15: all data is lost: all are registered again, and all views equal, within 15 s of its return", async () => {
    await using all = await start();
    const { lab, writer, server, books } = all;
    const auditor = lab.auditor();
    await auditor.caughtUp();
    await killAll(lab);
    await Promise.all(lab.cluster.members.map((member) => member.restart({ wipe: true })));
    const returnedAtMs = nowMs();
    await allShow(books, servers, 1, 15_000);
    expect(nowMs() - returnedAtMs).toBeLessThan(15_000);
    await server.until(isRegistered);
    await writer.put(["z"]);
    await allShow(books, [...servers, "z"], 1);
    await auditor.caughtUp();
    for (const book of books) expectExact(book.views, auditor);
  });

  test("15: one member after the other is replaced by an empty one: no view changes but by what is written", async () => {
    await using all = await start();
    const { lab, writer, server, books } = all;
    const auditor = lab.auditor();
    const replaced: string[] = [];
    for (const member of lab.cluster.members) {
      const others = lab.cluster.members.filter((each) => each !== member);
      await member.kill();
      await replaceMember(others[0] ?? member, member.name);
      await member.restart({ joining: true });
      await writer.put([`after-${member.name}`]);
      replaced.push(`after-${member.name}`);
    }
    await allShow(books, [...servers, ...replaced], 0);
    expect(server.statuses.map(({ state }) => state)).not.toContain("lost");
    await auditor.caughtUp();
    for (const book of books) expectExact(book.views, auditor);
  });

  test.each(["3.4", "3.5"] as const)(
    "16: etcd %s restored from a snapshot, with the ids of before and an older revision: views show what it holds",
    async (version) => {
      await using all = await start({ version });
      const { lab, writer, server, books } = all;
      await using folder = await temporaryFolder("snapshot");
      const snapshot = folder.file("snapshot.db");
      await writer.put(["before"]);
      await lab.cluster.members[0]?.etcdctl("snapshot", "save", snapshot);
      await writer.put(["lost-1", "lost-2"]);
      await writer.del(["before"]);
      await allShow(books, [...servers, "lost-1", "lost-2"], 0);
      await killAll(lab);
      await Promise.all(lab.cluster.members.map((member) => member.restart({ snapshot: snapshot })));
      const auditor = lab.auditor();
      await allShow(books, [...servers, "before"], 1, 15_000);
      await server.until(isRegistered);
      await writer.put(["after"]);
      await allShow(books, [...servers, "before", "after"], 1);
      await auditor.caughtUp();
      for (const book of books) expectExact(book.views, auditor, 1);
    },
  );
});
