import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { connectionOf } from "./connection.js";

it("is etcd's own port on this host where nothing is said", () => {
  expect(connectionOf({}, {})).toEqual({ endpoints: ["127.0.0.1:2379"] });
});

it("takes the variables of etcdctl, and the options before them", () => {
  const environment = {
    ETCDCTL_ENDPOINTS: "http://a:1, http://b:2,",
    ETCDCTL_USER: "root:se:cret",
    ETCDCTL_CACERT: "",
  };
  expect(connectionOf({}, environment)).toEqual({
    endpoints: ["http://a:1", "http://b:2"],
    user: "root",
    password: "se:cret",
  });
  expect(connectionOf({ endpoints: "c:3", user: "me:" }, environment)).toEqual({
    endpoints: ["c:3"],
    user: "me",
    password: "",
  });
});

it("reads the password from its file each time it is needed, without the newline at its end", async () => {
  const folder = await mkdtemp(join(tmpdir(), "rollcall-password-"));
  try {
    const file = join(folder, "password");
    await writeFile(file, "se:cret\n");
    const { user, password } = connectionOf({ "password-file": file }, { ETCDCTL_USER: "book" });
    if (typeof password !== "function") throw new Error("a password in a file is a function");
    expect([user, await password()]).toEqual(["book", "se:cret"]);
    await writeFile(file, "other");
    expect(await password()).toBe("other");
  } finally {
    await rm(folder, { recursive: true });
  }
});

describe("refuses, naming where it came from", () => {
  it.each([
    [{ endpoints: "," }, {}, "--endpoints is empty"],
    [{}, { ETCDCTL_ENDPOINTS: " " }, "ETCDCTL_ENDPOINTS is empty"],
    [{ user: "root" }, {}, "--user has no password: write name:password, or give --password-file"],
    [{ "password-file": "package.json" }, {}, "--password-file is given without --user"],
    [{ user: "root:x", "password-file": "package.json" }, {}, "--user has a password already"],
    [{ user: "root", "password-file": "no-such-file" }, {}, "--password-file: cannot read no-such-file (ENOENT)"],
    [{ user: ":x" }, {}, "--user has no password"],
    [{ cert: "c.pem" }, {}, "--cert is given without --key"],
    [{}, { ETCDCTL_KEY: "k.pem" }, "ETCDCTL_KEY is given without --cert"],
    [{ cacert: "no-such-file" }, {}, "--cacert: cannot read no-such-file (ENOENT): give a PEM file"],
    [{ cacert: "package.json" }, {}, "--cacert: package.json is no PEM file"],
  ])("%j %j", (values, environment, complaint) => {
    expect(() => connectionOf(values, environment)).toThrow(complaint);
  });
});
