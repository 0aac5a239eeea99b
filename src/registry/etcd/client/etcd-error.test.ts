import { describe, expect, it } from "vitest";
import { RollcallError } from "../../../errors.js";
import { cancelReasonError, EtcdError, saysAuthIsOff, statusError } from "./etcd-error.js";

describe("statusError", () => {
  it.each([
    [14, "etcdserver: no leader", "unavailable", "REGISTRY_UNAVAILABLE"],
    [
      14,
      "etcdserver: request timed out, possibly due to previous leader failure",
      "unavailable",
      "REGISTRY_UNAVAILABLE",
    ],
    [1, "context canceled", "unavailable", "REGISTRY_UNAVAILABLE"],
    [8, "Bandwidth exhausted or memory limit exceeded", "unavailable", "REGISTRY_UNAVAILABLE"],
    [8, "etcdserver: mvcc: database space exceeded", "no-space", "REGISTRY_FAILED"],
    [8, "Received message larger than max (5 vs 4)", "refused", "REGISTRY_FAILED"],
    [9, "etcdserver: rpc not supported for learner", "unavailable", "REGISTRY_UNAVAILABLE"],
    [14, "etcdserver: rpc not supported for learner", "unavailable", "REGISTRY_UNAVAILABLE"],
    [4, "Deadline exceeded", "timeout", "REGISTRY_UNAVAILABLE"],
    [5, "etcdserver: requested lease not found", "lease-not-found", "REGISTRY_FAILED"],
    [9, "etcdserver: lease already exists", "lease-exists", "REGISTRY_FAILED"],
    [11, "etcdserver: mvcc: required revision has been compacted", "compacted", "REGISTRY_FAILED"],
    [11, "etcdserver: mvcc: required revision is a future revision", "future-revision", "REGISTRY_FAILED"],
    [16, "etcdserver: invalid auth token", "unauthenticated", "REGISTRY_DENIED"],
    [3, "etcdserver: user name is empty", "unauthenticated", "REGISTRY_DENIED"],
    [3, "etcdserver: revision of auth store is old", "unauthenticated", "REGISTRY_DENIED"],
    [7, "etcdserver: permission denied", "denied", "REGISTRY_DENIED"],
    [3, "etcdserver: authentication failed, invalid user ID or password", "denied", "REGISTRY_DENIED"],
    [3, "etcdserver: request is too large", "refused", "REGISTRY_FAILED"],
    [3, "etcdserver: duplicate key given in txn request", "refused", "REGISTRY_FAILED"],
    [12, "unknown method", "refused", "REGISTRY_FAILED"],
  ])("takes status %i %j as %s", (grpcCode, details, kind, code) => {
    const error = statusError(grpcCode, details, "10.0.0.1:2379");
    expect(error).toMatchObject({ kind, code, grpcCode });
    expect(error.message).toContain(`10.0.0.1:2379: ${details}`);
  });

  it("asks for a user only where none was given, not where a token has expired", () => {
    expect(statusError(3, "etcdserver: user name is empty", "a:1").message).toContain("give `user` and `password`");
    expect(statusError(16, "etcdserver: invalid auth token", "a:1").message).not.toContain("give");
  });

  it("names the status when there are no details", () => {
    expect(statusError(14, "", "a:1").message).toBe("a:1: UNAVAILABLE");
  });
});

describe("cancelReasonError", () => {
  it.each([
    ["rpc error: code = Unauthenticated desc = etcdserver: invalid auth token", "unauthenticated", 16],
    ["rpc error: code = InvalidArgument desc = etcdserver: user name is empty", "unauthenticated", 3],
    ["rpc error: code = PermissionDenied desc = etcdserver: permission denied", "denied", 7],
    ["rpc error: code = Unavailable desc = etcdserver: no leader", "unavailable", 14],
    ["etcdserver: permission denied", "denied", 2],
    ["something new", "refused", 2],
  ])("reads %j as %s", (reason, kind, grpcCode) => {
    expect(cancelReasonError(reason, "a:1")).toMatchObject({ kind, grpcCode });
  });
});

it("is an EtcdError and a RollcallError, and no other error is", () => {
  const error = statusError(14, "etcdserver: no leader", "a:1");
  expect(error).toBeInstanceOf(EtcdError);
  expect(error).toBeInstanceOf(RollcallError);
  expect(new RollcallError("CLOSED", "closed") instanceof EtcdError).toBe(false);
});

it("knows etcd's word that it runs without authentication", () => {
  expect(saysAuthIsOff(statusError(9, "etcdserver: authentication is not enabled", "a:1"))).toBe(true);
  expect(saysAuthIsOff(statusError(16, "etcdserver: invalid auth token", "a:1"))).toBe(false);
});
