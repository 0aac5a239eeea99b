import { expect, it } from "vitest";
import { command } from "./command.js";
import { helpOf, overview } from "./help.js";
import { flag, many, one, required } from "./options.js";

const text = (given: string) => given;

const toast = command({
  verb: "toast",
  summary: "toast bread",
  description: "Toasts until it is done.",
  operands: [
    { name: "bread", help: "what to toast" },
    { name: "side", help: "which one", optional: true },
  ],
  options: {
    slices: one("number", "how many", text, { short: "n", default: "2" }),
    for: required("name", "who eats", text),
    spread: many("name", "what goes on it", text),
    dark: flag("longer"),
  },
  trailing: { name: "command args…", help: "what to do with it" },
  examples: ["rollcall toast rye --for me"],
  run: async () => 0,
});

it("says everything that the table holds, in columns", () => {
  expect(helpOf(toast)).toBe(`Usage: rollcall toast <bread> [side] [options] [-- command args…]

Toasts until it is done.

Arguments:
  bread             what to toast
  side              which one
  -- command args…  what to do with it

Options:
  -n, --slices <number>  how many (default 2)
  --for <name>           who eats (required)
  --spread <name>        what goes on it (may be given several times)
  --dark                 longer
  --help                 this text

Examples:
  rollcall toast rye --for me
`);
});

it("lists the verbs with what they are for", () => {
  expect(overview([toast])).toContain("\nVerbs:\n  toast  toast bread\n");
});
