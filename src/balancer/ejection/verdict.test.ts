import { expect, it } from "vitest";
import { cell } from "../../live.js";
import { cancelled, type Outcome, overtaken, timedOut } from "../../outcome.js";
import { type Verdict, verdictOf } from "./verdict.js";

const watched = { client: "", status: cell<"ready">("ready") };
const unwatched = { client: "" };
const failed: Outcome = { kind: "failed", reached: "maybe-seen", fault: "server", code: "UNAVAILABLE" };

it.each<[string, Outcome, Verdict]>([
  ["an answer", { kind: "ok", reached: "maybe-seen" }, "good"],
  ["an answer that the caller was wrong", { ...failed, fault: "caller" }, "good"],
  ["a failure", failed, "bad"],
  ["no answer in time", timedOut, "bad"],
  ["overload", { ...failed, fault: "overload", code: "RESOURCE_EXHAUSTED" }, "busy"],
  ["a failure that asks for a pause", { ...failed, pushbackMs: 100 }, "busy"],
  ["a failure that asks for no repetition", { ...failed, pushbackMs: -1 }, "bad"],
  ["a call that was given up", cancelled, "none"],
  ["a call that another server answered when this one had had its time", overtaken, "late"],
  ["a failure that is nobody's fault", { kind: "failed", reached: "maybe-seen" }, "none"],
  ["a call that was never sent", { ...failed, reached: "never-sent" }, "none"],
  ["a call that crossed the end of its connection", { ...failed, reached: "refused" }, "none"],
])("%s says %s", (_, outcome, verdict) => {
  expect(verdictOf(outcome, { state: "ready", connection: watched })).toBe(verdict);
});

it("takes a failure on a connection that is gone for the connection's", () => {
  expect(verdictOf(failed, { state: "connecting", connection: watched })).toBe("none");
});

it("holds a deadline that was missed against the server, though its connection is in doubt for the same reason", () => {
  expect(verdictOf(timedOut, { state: "connecting", connection: watched })).toBe("bad");
});

it("holds a call that was never sent against a server whose connection nobody watches", () => {
  const never: Outcome = { ...failed, reached: "never-sent" };
  expect(verdictOf(never, { state: "ready", connection: unwatched })).toBe("bad");
});
