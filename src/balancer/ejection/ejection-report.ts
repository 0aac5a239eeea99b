/** Tells of ejections: each as an event, and for the operator when an endpoint begins to fail, returns, and of panic. */
import type { Logger } from "../../logger.js";
import { publishEjection, publishPanic } from "../../observe/events.js";

export interface EjectionReport {
  /** `again`: by its probe. */
  ejected(news: Ejected): void;
  returned(news: Returned): void;
  panic(news: Panic): void;
}

interface News {
  readonly address: string;
  /** How many are ejected now, of how many. */
  readonly ejected: number;
  readonly total: number;
}

interface Ejected extends News {
  readonly reason: string;
  readonly forMs: number;
  readonly again: boolean;
}

interface Returned extends News {
  readonly afterMs: number;
}

interface Panic {
  readonly panicking: boolean;
  readonly usable: number;
  readonly total: number;
}

export function ejectionReport(service: string | undefined, logger: Logger): EjectionReport {
  const of = service === undefined ? "" : ` of "${service}"`;
  const ejections = service === undefined ? "ejections" : `ejections of "${service}"`;
  return {
    ejected({ address, reason, forMs, again, ejected, total }) {
      publishEjection({ service, address, state: "ejected", reason, forMs, ejected, total });
      const line = `${address}${of} is ejected for ${seconds(forMs)} s: ${reason}`;
      // One that is dead for long is probed for long, which is no news.
      if (again) logger.info(line);
      else logger.warn(`${line}; ${ejected} of ${total} endpoints are ejected`);
    },
    returned({ address, afterMs, ejected, total }) {
      publishEjection({ service, address, state: "returned", ejected, total });
      logger.warn(`${address}${of} takes calls again, ${seconds(afterMs)} s after it was ejected`);
    },
    panic({ panicking, usable, total }) {
      publishPanic({ service, state: panicking ? "entered" : "left", usable, total });
      if (panicking) logger.warn(`${ejections} are ignored: only ${usable} of ${total} endpoints are usable`);
      else logger.warn(`${ejections} count again: ${usable} of ${total} endpoints are usable`);
    },
  };
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}
