import { InterceptingCall, type Interceptor, status } from "@grpc/grpc-js";
import type { InstanceChannel } from "./instance-channel.js";
import { testify } from "./outcome-of.js";

/** Puts on record what the connection knows of each failed call, for clients whose calls rollcall does not make itself. */
export function witnessInterceptor(channel: InstanceChannel): Interceptor {
  return (options, nextCall) => {
    let cancelledHere = false;
    return new InterceptingCall(nextCall(options), {
      start(metadata, _listener, next) {
        const start = channel.callStart();
        next(metadata, {
          onReceiveMetadata(header, forward) {
            channel.received();
            forward(header);
          },
          onReceiveStatus(ending, forward) {
            if (ending.code !== status.OK) {
              testify(ending.metadata, { neverSent: !channel.couldHaveSent(start), cancelledHere });
            }
            forward(ending);
          },
        });
      },
      cancel(next) {
        cancelledHere = true;
        next();
      },
    });
  };
}
