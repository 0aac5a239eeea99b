import { expect, test } from "vitest";
import { LiveTable } from "./live-table.js";

function screen(size: { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number }) {
  let written = "";
  const write = (text: string | Uint8Array) => {
    written += text;
    return true;
  };
  return { ...size, write, written: () => written };
}

test("on a terminal lines go above the table, which is drawn again in its place", () => {
  const terminal = screen({ isTTY: true, columns: 100, rows: 40 });
  const table = new LiveTable(terminal);
  table.show(["one", "two"]);
  table.line("news");
  table.show(["three"]);
  table.clear();
  expect(terminal.written()).toBe(
    "one\ntwo\n" + "\u001b[2A\r\u001b[Jnews\none\ntwo\n" + "\u001b[2A\r\u001b[Jthree\n" + "\u001b[1A\r\u001b[J",
  );
});

test.each([
  ["a pipe", {}],
  ["a terminal too narrow to redraw without wrapping", { isTTY: true, columns: 60, rows: 40 }],
  ["a terminal too low to hold the table", { isTTY: true, columns: 100, rows: 10 }],
])("%s gets plain lines", (_, size) => {
  const plain = screen(size);
  const table = new LiveTable(plain);
  table.show(["one", "two"]);
  table.line("news");
  table.clear();
  expect(plain.written()).toBe("news\n");
});
