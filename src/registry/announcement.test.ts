import { describe, expect, it } from "vitest";
import { checkNewInstance, checkService } from "./announcement.js";

describe("what is refused before it is written", () => {
  it.each(["", "a/b", "a b", "a\n", "/", "a\u0000"])("the service name %j", (service) => {
    expect(() => checkService(service)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  it.each(["book", "book.v1", "pb.Test", "büro", "a-b_c:d"])("not the service name %j", (service) => {
    expect(() => checkService(service)).not.toThrow();
  });

  it.each(["0.0.0.0:80", "[::]:80", "[0::0]:80", "[0:0:0:0:0:0:0:0]:80", "[::ffff:0.0.0.0]:80", "[::ffff:0:0]:80"])(
    "the address %s, where nobody can be reached",
    (address) => {
      expect(() => checkNewInstance({ address })).toThrow(/not where others reach it/);
    },
  );

  it.each(["10.0.0.1:80", "[::1]:80", "[fe80::]:80", "[2001:db8::1]:80", "book-1.internal:80"])(
    "not the address %s",
    (address) => {
      expect(() => checkNewInstance({ address })).not.toThrow();
    },
  );

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("the weight %d", (weight) => {
    expect(() => checkNewInstance({ address: "10.0.0.1:80", weight })).toThrow(/weight/);
  });
});
