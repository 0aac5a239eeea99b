/**
 * The calls that a server has begun and not ended, so that those it cuts are told why.
 *
 * Why: `forceShutdown` resets their streams, which reaches a client as CANCELLED, as if it had cancelled the call itself.
 * UNAVAILABLE says that the server went, and an idempotent call is tried elsewhere.
 */
import {
  type ServerInterceptingCallInterface as OpenCall,
  ServerInterceptingCall,
  type ServerInterceptor,
  status,
} from "@grpc/grpc-js";

export interface OpenCalls {
  /** Has to be the first of the server's interceptors: what is sent here passes none of them. */
  readonly interceptor: ServerInterceptor;
  /** Ends all of them with UNAVAILABLE; what their handlers still do reaches nobody. */
  cut(): void;
}

export function openCalls(): OpenCalls {
  const open = new Set<OpenCall>();
  return {
    interceptor: (_, call) =>
      new ServerInterceptingCall(call, {
        start: (next) =>
          next({
            // Only from here on is it sure that onCancel comes, which grpc-js calls at the end of a call however it ended.
            onReceiveMetadata: (metadata, proceed) => {
              open.add(call);
              proceed(metadata);
            },
            onCancel: () => {
              open.delete(call);
            },
          }),
      }),
    cut() {
      for (const call of open) call.sendStatus(SHUTTING_DOWN);
    },
  };
}

const SHUTTING_DOWN = { code: status.UNAVAILABLE, details: "the server shut down before the call had ended" };
