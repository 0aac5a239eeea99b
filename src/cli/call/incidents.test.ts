import { expect, it } from "vitest";
import type { Membership } from "../../index.js";
import { incidents } from "./incidents.js";

function view(...addresses: readonly string[]): Membership {
  const instances = addresses.map((address) => ({ id: address, address }));
  return { state: "live", instances, retained: [], revision: "1" } as unknown as Membership;
}

it("tells who came and who left since the first view, and what the client warns of, each with its time", () => {
  const lines: string[] = [];
  let nowMs = 0;
  const told = incidents(
    (line) => lines.push(line),
    () => nowMs,
  );
  told.viewed({ state: "pending" } as Membership);
  told.viewed(view("a:1", "b:1"));
  nowMs = 1_500;
  told.viewed(view("a:1", "b:1"));
  told.viewed(view("a:1", "c:1"));
  nowMs = 12_340;
  told.logger.warn("c:1 is ejected");
  told.logger.info("nothing that matters");
  expect(lines).toEqual(["1.5 s  view: +c:1 -b:1, 2 present", "12.3 s  c:1 is ejected"]);
});
