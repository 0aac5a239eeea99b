/** How long a call may go on: until its deadline, its caller's signal or the end of the client, whichever comes first. */
import type { Clock } from "../../../clock.js";
import { cancelledError, type EtcdError } from "./etcd-error.js";

export interface CallScope extends Disposable {
  /** Aborts with an `EtcdError`. */
  readonly signal: AbortSignal;
  end(error: EtcdError): void;
}

/** While it lasts the process stays alive: somebody waits for the call. */
export function callScope(
  clock: Clock,
  timeoutMs: number,
  onTimeout: () => EtcdError,
  caller: AbortSignal | undefined,
): CallScope {
  const controller = new AbortController();
  const end = (error: EtcdError) => controller.abort(error);
  const timer = clock.after(timeoutMs, () => end(onTimeout()), { hold: true });
  const onCancel = () => end(cancelledError(caller?.reason));
  if (caller?.aborted) onCancel();
  caller?.addEventListener("abort", onCancel);
  return {
    signal: controller.signal,
    end,
    [Symbol.dispose]() {
      timer.cancel();
      caller?.removeEventListener("abort", onCancel);
    },
  };
}

/** `promise`, or the signal's reason as soon as it aborts. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
