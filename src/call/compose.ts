import type { Call, Layer } from "./call.js";

/**
 * Puts `layers` around `call`, listed from the balancer outwards: in `compose(balancer.call, retry(), timeout(500))` the
 * timeout is outermost and covers all attempts.
 */
export function compose<C>(call: Call<C>, ...layers: readonly Layer[]): Call<C> {
  return layers.reduce<Call<C>>((inner, layer) => rejecting(layer(inner)), call);
}

/** A call that throws where it should reject would leave the layers around it waiting for its end. */
function rejecting<C>(call: Call<C>): Call<C> {
  return (operation, options) => {
    try {
      return call(operation, options);
    } catch (error) {
      return Promise.reject(error);
    }
  };
}
