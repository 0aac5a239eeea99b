/**
 * Calls `drain` at the first of `signals`. The second one gets its usual effect, which ends the process unless the program
 * listens for it too. Disposing it leaves the signals alone again.
 */
export function onShutdownSignal(signals: readonly NodeJS.Signals[], drain: () => void): Disposable {
  let draining = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (draining) {
      stop();
      process.kill(process.pid, signal);
    } else {
      draining = true;
      drain();
    }
  };
  const stop = () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
  for (const signal of signals) process.on(signal, onSignal);
  return { [Symbol.dispose]: stop };
}
