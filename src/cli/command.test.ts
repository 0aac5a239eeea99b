import { describe, expect, it } from "vitest";
import { type Command, parseCommand } from "./command.js";
import { call } from "./commands/call.js";
import { dev } from "./commands/dev.js";
import { ls } from "./commands/ls.js";
import { register } from "./commands/register.js";
import { watch } from "./commands/watch.js";

const method = ["pb.Test/Test", "{}", "--service", "book", "--proto", "book.proto"];

describe("what a verb refuses, it refuses with the remedy", () => {
  it.each<[Command, string[], string]>([
    [watch, [], "<service> is missing: rollcall watch <service> [options]"],
    [watch, ["book", "shelf"], '"shelf" is one argument too many'],
    [watch, ["book", "--", "shelf"], '"shelf" is one argument too many'],
    [watch, ["book", "-x"], "there is no option -x"],
    [watch, ["book", "--no-json"], "there is no option --no-json"],
    [watch, ["book", "--json=yes"], '--json takes no value: write it without "=yes"'],
    [watch, ["book", "--endpoints"], "--endpoints needs a value: --endpoints <host:port,…>"],
    [watch, ["book", "--endpoints", "--json"], "--endpoints needs a value"],
    [watch, ["book", "--prefix", "/services"], '--prefix: "/services" does not end in "/": write "/services/"'],
    [dev, ["now"], '"now" is one argument too many'],
    [ls, ["a", "b"], '"b" is one argument too many: rollcall ls [service] [options]'],
    [register, ["book"], "<host:port> is missing"],
    [register, ["book", "a:1", "--"], 'nothing follows "--"'],
    [register, ["book", "a:1", "--ttl", "10"], '--ttl: "10" is no duration: write e.g. 500ms, 3s or 1m'],
    [register, ["book", "a:1", "--ttl", "0"], "no time at all"],
    [register, ["book", "a:1", "--weight", "0"], "no number above 0"],
    [register, ["book", "a:1", "--meta", "zone"], '--meta: "zone" is no pair: write key=value'],
    [call, method.slice(0, 4), "--proto <file> is missing: rollcall call"],
    [call, [], "<package.Service/Method>, <json>, --service <name>, --proto <file> are missing: rollcall call"],
    [register, ["book", "a:1", "--weight", "-1"], '--weight: "-1" is no number above 0'],
    [call, [...method, "-n", "0"], '-n: "0" is no whole number above 0'],
    [call, [...method, "-n", "1.5"], "-n"],
    [call, [...method, "--rate", "fast"], '--rate: "fast" is no rate: write calls a second'],
    [
      call,
      [...method, "--rate", "3000/m"],
      '--rate: "3000/m" is no rate: write calls a second, a number above 0, as 200/s or 200',
    ],
    [call, [...method, "--duration", "-3s"], '--duration: "-3s" is no duration'],
    [
      call,
      [...method, "--balancer", "best"],
      '--balancer: there is no balancer "best" by name: choose one of p2c, p2c:pending, least-request',
    ],
  ])("%#", (verb, args, complaint) => {
    expect(() => parseCommand(verb, args)).toThrow(
      expect.objectContaining({ name: "UsageError", message: expect.stringContaining(complaint) }),
    );
  });
});

it("reads what is given and fills in the defaults, as they would be written", () => {
  const { values, operands, trailing } = parseCommand(register, [
    ...["book", "10.0.0.1:50051", "--ttl=500ms", "--meta", "a=1", "--meta=b=2=3", "--ttl", "3s"],
    ...["--", "server", "--json"],
  ]);
  expect(values).toMatchObject({
    ttl: 3_000,
    "start-timeout": 10_000,
    meta: [
      ["a", "1"],
      ["b", "2=3"],
    ],
    weight: undefined,
    json: false,
    prefix: "/services/",
  });
  expect(operands).toEqual(["book", "10.0.0.1:50051"]);
  expect(trailing).toEqual(["server", "--json"]);
});

it("takes the short options of call", () => {
  const { values } = parseCommand(call, [...method, "-n", "8", "-c4", "--rate", "2.5/s"]);
  expect(values).toMatchObject({ calls: 8, callers: 4, rate: 2.5, timeout: 3_000, attempts: 3, duration: undefined });
});
