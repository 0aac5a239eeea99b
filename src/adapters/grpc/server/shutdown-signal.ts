import { constants } from "node:os";
import { RollcallError } from "../../../index.js";

/** The wish to stop, as the process is told it. Disposing it leaves the signals alone again. */
export interface ShutdownSignal extends Disposable {
  /** Aborts at the first of the signals. */
  readonly signal: AbortSignal;
}

/** A signal that there is not would be waited for in vain; Node itself tells of those that nobody can listen for. */
export function checkSignals(names: readonly string[]): void {
  for (const name of Array.isArray(names) ? names : [names]) {
    if (Object.hasOwn(constants.signals, name)) continue;
    throw new RollcallError(
      "INVALID_ARGUMENT",
      `\`signals\` has to be a list such as ["SIGTERM"]; there is no ${name}`,
    );
  }
}

/** Listens to `signals`. The second one gets its usual effect, which ends the process unless the program listens for it too. */
export function shutdownSignal(signals: readonly NodeJS.Signals[]): ShutdownSignal {
  const stopping = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping.signal.aborted) {
      stop();
      process.kill(process.pid, signal);
    } else {
      stopping.abort(new RollcallError("CANCELLED", `stopped by ${signal} before the server was registered`));
    }
  };
  const stop = () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
  for (const signal of signals) process.on(signal, onSignal);
  return { signal: stopping.signal, [Symbol.dispose]: stop };
}
