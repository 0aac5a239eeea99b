import { expect, it } from "vitest";
import { login } from "./login.js";

it("is nobody where nothing is given, and wants both or neither", () => {
  expect(login(undefined, undefined)).toBeUndefined();
  expect(() => login("book", undefined)).toThrow("`user` is given without `password`");
  expect(() => login(undefined, "pages")).toThrow("`password` is given without `user`");
});

it("asks a function for the password each time", async () => {
  const passwords = ["old", "new"];
  const book = login("book", () => passwords.shift() ?? "");
  expect(await book?.password()).toBe("old");
  expect(await book?.password()).toBe("new");
  expect(await login("book", async () => "later")?.password()).toBe("later");
  expect(await login("book", "always")?.password()).toBe("always");
});

it("is refused while the function gives no password", async () => {
  const failing = login("book", () => Promise.reject(new Error("ENOENT")));
  await expect(failing?.password()).rejects.toMatchObject({
    kind: "denied",
    message: "the function given as `password` failed: ENOENT",
  });
  const empty = login("book", () => undefined as never); // as plain JavaScript can
  await expect(empty?.password()).rejects.toThrow("gave no string (undefined)");
});
