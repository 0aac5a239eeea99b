/**
 * How a user ends a verb that goes on: the first SIGINT, SIGTERM or SIGHUP asks it to end in good order, the second ends
 * the process at once.
 */
import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface StopSignal extends Disposable {
  /** Aborts with the first signal. */
  readonly signal: AbortSignal;
  /** Which it was. */
  readonly received: NodeJS.Signals | undefined;
}

/** `onSecond` runs right before the process ends, for what must not be left behind. */
export function stopSignal(onSecond: () => void = () => {}): StopSignal {
  const controller = new AbortController();
  let received: NodeJS.Signals | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    if (received !== undefined) {
      onSecond();
      process.exit(128 + constants.signals[signal]);
    }
    received = signal;
    controller.abort(new Error(`received ${signal}`));
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    signal: controller.signal,
    get received() {
      return received;
    },
    [Symbol.dispose]: () => {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}

/** Resolves when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
