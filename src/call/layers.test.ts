/** The contract of layers, over all that there are. */
import { describe, it } from "vitest";
import { layerContract } from "../testing/layer-contract.js";
import { circuitBreaker } from "./circuit-breaker.js";
import { concurrencyLimit } from "./concurrency-limit.js";
import { inheritDeadline } from "./deadline.js";
import { rateLimit } from "./rate-limit.js";
import { retry } from "./retry/retry.js";
import { throttle } from "./throttle.js";
import { defaultTimeout, timeout } from "./timeout.js";

layerContract(
  { describe, it },
  { name: "circuitBreaker()", make: ({ clock }) => circuitBreaker({ clock, logger: false }) },
);
layerContract({ describe, it }, { name: "concurrencyLimit()", make: ({ clock }) => concurrencyLimit({ clock }) });
layerContract({ describe, it }, { name: "defaultTimeout()", make: () => defaultTimeout(120_000) });
layerContract({ describe, it }, { name: "inheritDeadline()", make: () => inheritDeadline() });
layerContract({ describe, it }, { name: "rateLimit()", make: ({ clock }) => rateLimit({ clock, perSecond: 50 }) });
layerContract(
  { describe, it },
  { name: "rateLimit({ wait })", make: ({ clock }) => rateLimit({ clock, perSecond: 50, wait: true }) },
);
layerContract({ describe, it }, { name: "retry()", make: retry });
layerContract({ describe, it }, { name: "throttle()", make: throttle });
layerContract({ describe, it }, { name: "timeout()", make: () => timeout(120_000) });
