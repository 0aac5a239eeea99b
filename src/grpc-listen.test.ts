import { expect, test } from "vitest";
import { listenError } from "./grpc-listen.js";

const failure = (code: string) => Object.assign(new Error(`listen ${code}`), { code });

test.each([
  ["EADDRINUSE", "ADDRESS_IN_USE", "cannot listen on 10.0.0.1:80: the port is in use"],
  ["EACCES", "INVALID_ARGUMENT", "cannot listen on 10.0.0.1:80: this user may not use the port"],
  ["EADDRNOTAVAIL", "INVALID_ARGUMENT", "cannot listen on 10.0.0.1:80: this machine has no such address"],
  ["EAFNOSUPPORT", "INVALID_ARGUMENT", "cannot listen on 10.0.0.1:80: listen EAFNOSUPPORT"],
])("%s is told as %s, with what to do", (code, expected, message) => {
  const error = listenError({ host: "10.0.0.1", port: 80 }, failure(code));
  expect(error).toMatchObject({ code: expected, cause: { code } });
  expect(error.message).toContain(message);
});
