/** In plain JavaScript nobody tells of a misspelt option, and one without effect is worse than an error. */
import { describe, expect, test } from "vitest";
import * as rollcall from "../src/index.js";

const { p2c } = rollcall;
const misspelt = { nosuch: 1 } as never;

describe("an option that there is not is refused", () => {
  test.each<[taker: string, take: () => unknown]>([
    ["aperture()", () => rollcall.aperture(misspelt)],
    ["balance()", () => rollcall.balance({} as never, p2c(), misspelt)],
    ["boundedLoad()", () => rollcall.boundedLoad(p2c(), misspelt)],
    ["canary()", () => rollcall.canary(p2c(), misspelt)],
    ["circuitBreaker()", () => rollcall.circuitBreaker(misspelt)],
    ["client()", () => rollcall.client(misspelt)],
    ["concurrencyLimit()", () => rollcall.concurrencyLimit(misspelt)],
    ["endpoints()", () => rollcall.endpoints({} as never, () => ({ client: 0 }), misspelt)],
    ["filter()", () => rollcall.filter(p2c(), misspelt)],
    ["hedge", () => rollcall.retry({ hedge: misspelt })],
    ["inheritDeadline()", () => rollcall.inheritDeadline(misspelt)],
    ["maglev()", () => rollcall.maglev(misspelt)],
    ["peakEwma()", () => rollcall.peakEwma(misspelt)],
    ["priority()", () => rollcall.priority(p2c(), misspelt)],
    ["randomSubset()", () => rollcall.randomSubset(misspelt)],
    ["rateLimit()", () => rollcall.rateLimit(misspelt)],
    ["rendezvous()", () => rollcall.rendezvous(misspelt)],
    ["retry()", () => rollcall.retry(misspelt)],
    ["retryBudget()", () => rollcall.retryBudget(misspelt)],
    ["ringHash()", () => rollcall.ringHash(misspelt)],
    ["slowStart()", () => rollcall.slowStart(p2c(), misspelt)],
    ["throttle()", () => rollcall.throttle(misspelt)],
    ["zoneAware()", () => rollcall.zoneAware(p2c(), misspelt)],
  ])("by %s", (taker, take) => {
    expect(take).toThrow(`${taker} has no option \`nosuch\`; it has `);
  });
});
