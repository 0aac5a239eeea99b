import { RollcallError } from "../../../index.js";

/** The wish to stop, as the process is told it. Disposing it leaves the signals alone again. */
export interface ShutdownSignal extends Disposable {
  /** Aborts at the first of the signals. */
  readonly signal: AbortSignal;
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
