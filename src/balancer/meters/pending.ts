/**
 * The calls in progress, the next one included. What a client can know of load without a clock; the right choice for long
 * streams, where latency says little. (Finagle: `leastLoaded`; Envoy: `LEAST_REQUEST`.)
 *
 * A failure ends a call like any other, so that who fails at once seems to have little to do: leave ejection on.
 */
import { refuseArguments } from "../../check-kind.js";
import type { Meter, Metric } from "../meter.js";

export function pending(...none: []): Metric {
  refuseArguments("pending()", none);
  return (): Meter => {
    let inProgress = 0;
    return {
      cost: () => inProgress + 1,
      idleCost: () => 1,
      begin() {
        inProgress += 1;
      },
      end() {
        inProgress -= 1;
      },
    };
  };
}
