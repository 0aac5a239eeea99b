import { expect, test } from "vitest";
import { isWildcard } from "./host-port.js";

test.each(["0.0.0.0", "::", "0::0", "0:0:0:0:0:0:0:0", "::ffff:0.0.0.0", "::ffff:0:0"])(
  "%s means every address of the machine",
  (host) => {
    expect(isWildcard(host)).toBe(true);
  },
);

test.each(["10.0.0.1", "::1", "fe80::", "::ffff:10.0.0.1", "0", "localhost"])("%s means one", (host) => {
  expect(isWildcard(host)).toBe(false);
});
