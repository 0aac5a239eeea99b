import { Writable } from "node:stream";
import { expect, it } from "vitest";
import { LineOutput } from "./line-output.js";

/** A reader that takes a line only when it is told to. */
function slowReader() {
  const taken: string[] = [];
  let take = () => {};
  const stream = new Writable({
    highWaterMark: 1,
    write(chunk, _encoding, done) {
      take = () => {
        taken.push(String(chunk));
        done();
      };
    },
  });
  const next = async () => {
    take();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { stream, taken, next };
}

it("keeps only the newest view while nobody reads", async () => {
  const { stream, taken, next } = slowReader();
  const output = new LineOutput(stream);
  for (const view of ["1", "2", "3", "4"]) output.writeNewest(view);
  await next();
  await next();
  expect(taken).toEqual(["1\n", "4\n"]);
});

it("holds back who writes results until there is room, and loses none", async () => {
  const { stream, taken, next } = slowReader();
  const output = new LineOutput(stream);
  let written = 0;
  const writing = (async () => {
    for (const line of ["1", "2"]) {
      await output.write(line);
      written += 1;
    }
  })();
  await new Promise((resolve) => setImmediate(resolve));
  expect(written).toBe(0);
  await next();
  await next();
  await writing;
  expect(taken).toEqual(["1\n", "2\n"]);
});

it("takes a reader that has gone for no error, and lets go of who waits for it", async () => {
  const { stream } = slowReader();
  const output = new LineOutput(stream);
  const writing = output.write("1");
  stream.destroy(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
  await writing;
  expect(output.gone.aborted).toBe(true);
  await output.write("2");
  await output.flush();
});

it("waits only a moment for a reader that does not read", async () => {
  const { stream } = slowReader();
  const output = new LineOutput(stream);
  output.writeNewest("1");
  await output.flush();
  expect(output.gone.aborted).toBe(true);
});
