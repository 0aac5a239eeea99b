/**
 * What the connection can say of a call that failed: whether it can have been sent, and whose wish its end was.
 * `outcomeOf` reads it off the record.
 */
import { InterceptingCall, type Interceptor, type Metadata, status } from "@grpc/grpc-js";
import type { CallStart, InstanceChannel } from "./instance-channel.js";
import { testify } from "./outcome-of.js";

// The codes under which grpc-js itself ends a call; under any other the server was heard.
const MAYBE_OUR_OWN: ReadonlySet<status> = new Set([status.CANCELLED, status.DEADLINE_EXCEEDED, status.UNAVAILABLE]);

/** Follows one call, from its start. */
export class CallWitness {
  readonly #channel: InstanceChannel;
  readonly #start: CallStart;
  #cancelled = false;

  constructor(channel: InstanceChannel) {
    this.#channel = channel;
    this.#start = channel.callStart();
  }

  /** The server was heard. */
  received(): void {
    this.#channel.received();
  }

  /** Our side ends the call. */
  cancelled(): void {
    this.#cancelled = true;
  }

  /** Puts on record how the call failed. Tells whether it was our side that ended it. */
  failed(code: status, metadata: Metadata): boolean {
    if (!MAYBE_OUR_OWN.has(code)) this.#channel.received();
    const cancelledHere = this.#cancelled && code === status.CANCELLED;
    testify(metadata, { neverSent: !this.#channel.couldHaveSent(this.#start), cancelledHere });
    return cancelledHere;
  }
}

/** The same for clients whose calls rollcall does not make itself. */
export function witnessInterceptor(channel: InstanceChannel): Interceptor {
  return (options, nextCall) => {
    let witness: CallWitness | undefined;
    return new InterceptingCall(nextCall(options), {
      start(metadata, _listener, next) {
        const started = new CallWitness(channel);
        witness = started;
        next(metadata, {
          onReceiveMetadata(header, forward) {
            started.received();
            forward(header);
          },
          onReceiveMessage(message, forward) {
            started.received();
            forward(message);
          },
          onReceiveStatus(ending, forward) {
            if (ending.code !== status.OK) started.failed(ending.code, ending.metadata);
            forward(ending);
          },
        });
      },
      cancel(next) {
        witness?.cancelled();
        next();
      },
    });
  };
}
