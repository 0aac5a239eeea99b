import { describe, expect, it } from "vitest";
import { priorityShares } from "./priority-shares.js";

/** In whole percents of calls, and whether each level panics, as Envoy's pages print it. */
function loads(...healthyPercents: readonly number[]) {
  const shares = priorityShares(
    healthyPercents.map((percent) => percent / 100),
    1.4,
    0.5,
  );
  return {
    load: shares.map(({ share }) => Math.round(share * 100)),
    panic: shares.map(({ panic }) => panic),
  };
}

describe("the shares of priority levels", () => {
  // Envoy, "Priority levels": P0 and P1, P1 being wholly healthy.
  it.each([
    [100, [100, 0]],
    [72, [100, 0]],
    [71, [99, 1]],
    [50, [70, 30]],
    [25, [35, 65]],
    [0, [0, 100]],
  ])("are Envoy's when %i %% of P0 are healthy and all of P1", (healthy, load) => {
    expect(loads(healthy, 100)).toEqual({ load, panic: [false, false] });
  });

  // The same page, three levels.
  it.each([
    [
      [100, 100, 100],
      [100, 0, 0],
    ],
    [
      [72, 72, 100],
      [100, 0, 0],
    ],
    [
      [71, 71, 100],
      [99, 1, 0],
    ],
    [
      [50, 50, 100],
      [70, 30, 0],
    ],
    [
      [25, 100, 100],
      [35, 65, 0],
    ],
    [
      [25, 25, 100],
      [35, 35, 30],
    ],
  ])("are Envoy's when of three levels %j %% are healthy", (healthy, load) => {
    expect(loads(...healthy)).toEqual({ load, panic: [false, false, false] });
  });

  // Envoy, "Panic threshold".
  it.each([
    [
      [72, 72],
      [100, 0],
      [false, false],
    ],
    [
      [71, 71],
      [99, 1],
      [false, false],
    ],
    [
      [50, 60],
      [70, 30],
      [false, false],
    ],
    [
      [25, 100],
      [35, 65],
      [false, false],
    ],
    [
      [25, 25],
      [50, 50],
      [true, true],
    ],
    [
      [5, 65],
      [7, 93],
      [true, false],
    ],
  ])("and the panic are Envoy's when %j %% are healthy", (healthy, load, panic) => {
    expect(loads(...healthy)).toEqual({ load, panic });
  });
});
