/**
 * What the connection can say of a call that failed: whether it can have been sent, and whose wish its end was.
 * `outcomeOf` reads it off the record.
 */
import { InterceptingCall, type Interceptor, type StatusObject, status } from "@grpc/grpc-js";
import type { Outcome } from "../../../index.js";
import type { CallStart, InstanceChannel } from "./instance-channel.js";
import { testify } from "./outcome-of.js";

// The codes under which grpc-js itself ends a call; under any other the server was heard.
const MAYBE_OUR_OWN: ReadonlySet<status> = new Set([status.CANCELLED, status.DEADLINE_EXCEEDED, status.UNAVAILABLE]);

/**
 * What grpc-js says of a call that crossed a GOAWAY on the wire, where HTTP/2 promises that the server did not act on it, and
 * of one whose connection was gone before it could leave and was not to be had again.
 *
 * Nothing but the text tells this from a connection that broke, and a reworded text costs only what it gains: calls that may
 * not be repeated fail when they cross a GOAWAY. That grpc-js is the one who speaks, and not a server that passes on what
 * happened to a call of its own, is plain from the connection, which is gone, and the answer, of which nothing had come: no
 * header, and no trailer. (A GOAWAY with the code REFUSED_STREAM would look the same for calls that the server did act on; the
 * code is one of streams, and no server sends it so.)
 */
const REFUSED = /^(Stream refused by server|No connection established)/;

/** Follows one call, from its start. */
export class CallWitness {
  readonly #channel: InstanceChannel;
  readonly #start: CallStart;
  #heard = false;
  #cancelled = false;

  constructor(channel: InstanceChannel) {
    this.#channel = channel;
    this.#start = channel.callStart();
  }

  /** The server was heard. */
  received(): void {
    this.#heard = true;
    this.#channel.received();
  }

  /** Our side ends the call. */
  cancelled(): void {
    this.#cancelled = true;
  }

  /** Puts on record how the call failed. Tells whether it was our side that ended it. */
  failed(ending: StatusObject): boolean {
    if (!MAYBE_OUR_OWN.has(ending.code)) this.#channel.received();
    const cancelledHere = this.#cancelled && ending.code === status.CANCELLED;
    testify(ending.metadata, { reached: this.#reached(ending), cancelledHere });
    return cancelledHere;
  }

  #reached({ code, details, metadata }: StatusObject): Outcome["reached"] {
    if (!this.#channel.couldHaveSent(this.#start)) return "never-sent";
    const isRefusal = code === status.UNAVAILABLE && REFUSED.test(details) && this.#channel.lostSince(this.#start);
    const isGrpcJs = !this.#heard && Object.keys(metadata.getMap()).length === 0;
    return isRefusal && isGrpcJs ? "refused" : "maybe-seen";
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
            if (ending.code !== status.OK) started.failed(ending);
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
