import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { protoMethod } from "./proto-method.js";
import { requestFromJson } from "./request-json.js";

const shop = `
  syntax = "proto3";
  package shop.v1;
  import "common/money.proto";
  import "google/protobuf/timestamp.proto";
  message Order {
    message Line { string article = 1; uint32 count = 2; }
    enum Pace { SLOW = 0; FAST = 1; }
    int64 order_number = 1;
    repeated Line lines = 2;
    Pace pace = 3;
    map<string, common.Money> prices = 4;
    oneof payer { string name = 5; bytes token = 6; }
    bool gift = 7;
    double weight = 8;
    google.protobuf.Timestamp due = 9;
    fixed64 serial = 10;
  }
  service Shop { rpc Buy(Order) returns (Order); }
`;

let folder: string;
let method: ReturnType<typeof protoMethod>;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rollcall-proto-"));
  mkdirSync(join(folder, "common"));
  writeFileSync(
    join(folder, "common/money.proto"),
    'syntax = "proto3"; package common; message Money { sint32 cents = 1; }',
  );
  writeFileSync(join(folder, "shop.proto"), shop);
  method = protoMethod("shop.v1.Shop/Buy", join(folder, "shop.proto"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = (request: unknown) => requestFromJson(JSON.stringify(request), method.requestType, method.types);

it("takes every kind of field, in files that import others, exactly as it is written", () => {
  const request = {
    orderNumber: "-9223372036854775808",
    lines: [{ article: "book", count: 4_294_967_295 }],
    pace: "FAST",
    prices: { book: { cents: -5 } },
    name: "Allen",
    gift: true,
    weight: 1.5,
    due: { seconds: "1" },
    serial: "18446744073709551615",
  };
  expect(read(request)).toEqual(request);
  const { requestSerialize, requestDeserialize } = method.service[method.name] ?? expect.unreachable();
  expect(requestDeserialize(requestSerialize(request))).toMatchObject(request);
});

describe("names the field that the server would have got otherwise", () => {
  it.each<[unknown, string]>([
    [{ order: 1 }, 'has no field "order" in shop.v1.Order: its fields are orderNumber, lines'],
    [{ orderNumber: 2 ** 60 }, 'field "orderNumber" of shop.v1.Order must be a whole number'],
    [{ orderNumber: "9223372036854775808" }, 'must be from -9223372036854775808 to 9223372036854775807, not "922'],
    [{ serial: -1 }, 'field "serial" of shop.v1.Order must be from 0 to 18446744073709551615, not -1'],
    [{ lines: { article: "book" } }, 'field "lines" of shop.v1.Order must be an array'],
    [{ lines: [{ count: 4_294_967_296 }] }, 'field "count" of shop.v1.Order.Line must be from 0 to 4294967295'],
    [{ pace: "QUICK" }, "must be SLOW or FAST"],
    [{ prices: { book: { cents: "many" } } }, 'field "cents" of common.Money must be a whole number'],
    [{ prices: [] }, "must be an object with the map's keys"],
    [{ name: 7 }, "must be text, not 7"],
    [{ gift: "yes" }, "must be true or false"],
    [{ due: "2026-01-01T00:00:00Z" }, 'field "due" of shop.v1.Order must be a JSON object'],
  ])("%j", (request, complaint) => {
    expect(() => read(request)).toThrow(
      expect.objectContaining({ name: "UsageError", message: expect.stringContaining(complaint) }),
    );
  });
});
