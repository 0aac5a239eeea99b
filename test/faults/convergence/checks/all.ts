/** The menu of checks. */
import type { Check } from "./check.js";
import { convergence } from "./convergence.js";
import { exactness } from "./exactness.js";
import { liveness } from "./liveness.js";
import { monotone } from "./monotone.js";
import { noEmpty } from "./no-empty.js";
import { noPhantom } from "./no-phantom.js";
import { ownership } from "./ownership.js";

export const allChecks: readonly Check[] = [exactness, noPhantom, monotone, noEmpty, ownership, liveness, convergence];
