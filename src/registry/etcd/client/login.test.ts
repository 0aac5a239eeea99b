import { expect, it } from "vitest";
import { virtualClock } from "../../../testing/virtual-clock.js";
import { type Login, login as loginWith } from "./login.js";

const clock = virtualClock();
const login = (user: string | undefined, password: Parameters<typeof loginWith>[1]): Login | undefined =>
  loginWith(user, password, { clock, timeoutMs: 5_000 });

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

it("is refused by a function that has not answered in time, and asks it again", async () => {
  const answers = [new Promise<string>(() => {}), Promise.resolve("pages")];
  const book = login("book", () => answers.shift() ?? "");
  const hung = expect(book?.password()).rejects.toMatchObject({
    kind: "denied",
    message: "the function given as `password` has not answered within 5000 ms",
  });
  await clock.advance(5_000);
  await hung;
  expect(await book?.password()).toBe("pages");
});
