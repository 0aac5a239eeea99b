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

describe("refuses, naming where it came from", () => {
  it.each([
    [{ endpoints: "," }, {}, "--endpoints is empty"],
    [{}, { ETCDCTL_ENDPOINTS: " " }, "ETCDCTL_ENDPOINTS is empty"],
    [{ user: "root" }, {}, "--user has no password: write name:password"],
    [{ user: ":x" }, {}, "--user has no password"],
    [{ cert: "c.pem" }, {}, "--cert is given without --key"],
    [{}, { ETCDCTL_KEY: "k.pem" }, "ETCDCTL_KEY is given without --cert"],
    [{ cacert: "no-such-file" }, {}, "--cacert: cannot read no-such-file (ENOENT): give a PEM file"],
    [{ cacert: "package.json" }, {}, "--cacert: package.json is no PEM file"],
  ])("%j %j", (values, environment, complaint) => {
    expect(() => connectionOf(values, environment)).toThrow(complaint);
  });
});
