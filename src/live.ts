/**
 * A value that varies over time, read now or followed.
 *
 * Why not an emitter or a stream: whoever subscribes late must see what holds *now*, a balancer reads the current value
 * synchronously on every call, and a slow reader should see the newest value, not a queue of old ones.
 */
import { reportStray } from "./errors.js";

export interface Live<T> {
  readonly current: T;
  /**
   * Calls `observer` at once with the current value, then after each change, synchronously and in order of subscription.
   * An observer that throws is reported as a process warning and stops no other.
   */
  subscribe(observer: (value: T) => void): Disposable;
}

/** The writable end of a live value, kept by its owner. */
export interface Cell<T> extends Live<T> {
  /**
   * Publishes `value` unless `same` says that it equals the current one. A set made while observers are being told is
   * delivered after the one in progress, so that everybody sees the same order.
   */
  set(value: T): void;
}

export function cell<T>(initial: T, same: (a: T, b: T) => boolean = Object.is): Cell<T> {
  return new LiveCell(initial, same);
}

/**
 * The values of `live` as an async iterable: the current one at once, then the newest after each wait (values set in
 * between are skipped). Ends when `signal` aborts or the loop is left.
 */
export async function* changes<T>(live: Live<T>, signal?: AbortSignal): AsyncGenerator<T, void, undefined> {
  let newest: { readonly value: T } | undefined;
  let wake = () => {};
  const onAbort = () => wake();
  signal?.addEventListener("abort", onAbort, { once: true });
  const subscription = live.subscribe((value) => {
    newest = { value };
    wake();
  });
  try {
    while (!signal?.aborted) {
      if (newest) {
        const { value } = newest;
        newest = undefined;
        yield value;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    subscription[Symbol.dispose]();
    signal?.removeEventListener("abort", onAbort);
  }
}

/** Resolves with the first value, the current one included, that `accept` takes; rejects with the signal's reason. */
export function firstMatch<T, S extends T>(
  live: Live<T>,
  accept: (value: T) => value is S,
  signal?: AbortSignal,
): Promise<S>;
export function firstMatch<T>(live: Live<T>, accept: (value: T) => boolean, signal?: AbortSignal): Promise<T>;
export function firstMatch<T>(live: Live<T>, accept: (value: T) => boolean, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    let subscription: Disposable | undefined;
    let settled = false;
    const settle = (finish: () => void) => {
      settled = true;
      subscription?.[Symbol.dispose]();
      signal?.removeEventListener("abort", onAbort);
      finish();
    };
    const onAbort = () => settle(() => reject(signal?.reason));
    signal?.addEventListener("abort", onAbort, { once: true });
    subscription = live.subscribe((value) => {
      if (!settled && accept(value)) settle(() => resolve(value));
    });
    if (settled) subscription[Symbol.dispose]();
  });
}

interface Subscription<T> {
  readonly observer: (value: T) => void;
  /** Values delivered from this one on: a value set before the subscription is seen as `current`, not told again. */
  readonly since: number;
  active: boolean;
}

class LiveCell<T> implements Cell<T> {
  #current: T;
  readonly #same: (a: T, b: T) => boolean;
  readonly #subscriptions = new Set<Subscription<T>>();
  readonly #undelivered: T[] = [];
  #published = 0;
  #delivering = false;

  constructor(initial: T, same: (a: T, b: T) => boolean) {
    this.#current = initial;
    this.#same = same;
  }

  get current(): T {
    return this.#current;
  }

  subscribe(observer: (value: T) => void): Disposable {
    const subscription: Subscription<T> = { observer, since: this.#published, active: true };
    this.#subscriptions.add(subscription);
    const outermost = !this.#delivering;
    this.#delivering = true;
    tell(subscription, this.#current);
    if (outermost) this.#deliverRest();
    return {
      [Symbol.dispose]: () => {
        subscription.active = false;
        this.#subscriptions.delete(subscription);
      },
    };
  }

  set(value: T): void {
    if (this.#same(this.#current, value)) return;
    this.#current = value;
    this.#published += 1;
    if (this.#delivering) {
      this.#undelivered.push(value);
    } else {
      this.#delivering = true;
      this.#deliver(value, this.#published);
      this.#deliverRest();
    }
  }

  #deliver(value: T, number: number): void {
    for (const subscription of this.#subscriptions) {
      if (subscription.since < number) tell(subscription, value);
    }
  }

  /** What was set while somebody was being told. */
  #deliverRest(): void {
    while (this.#undelivered.length > 0) {
      const number = this.#published - this.#undelivered.length + 1;
      const value = this.#undelivered.shift() as T; // the length was checked; T itself may be undefined
      this.#deliver(value, number);
    }
    this.#delivering = false;
  }
}

function tell<T>(subscription: Subscription<T>, value: T): void {
  if (!subscription.active) return;
  try {
    subscription.observer(value);
  } catch (error) {
    reportStray(error);
  }
}
