import type { Call, Layer } from "./call.js";

/**
 * Puts `layers` around `call`, listed from the balancer outwards: in `compose(balancer.call, retry(), timeout(500))` the
 * timeout is outermost and covers all attempts.
 */
export function compose<C>(call: Call<C>, ...layers: readonly Layer[]): Call<C> {
  return layers.reduce<Call<C>>((inner, layer) => layer(inner), call);
}
