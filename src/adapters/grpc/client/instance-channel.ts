/**
 * A grpc-js channel to one instance that says how its connection is, and can be replaced under a client without the client
 * noticing.
 *
 * Why replaced: grpc-js finds a dead connection by HTTP/2 pings, at best after tens of seconds, and it waits for ever for
 * a peer whose kernel accepts TCP while the process hangs. A new channel settles both: grpc-js calls it READY only after
 * the server's HTTP/2 SETTINGS arrived, so a hung server does not become ready until it runs again.
 *
 * Only public API: `ChannelInterface`, handed to clients as `channelOverride`.
 */
import {
  Channel,
  type ChannelCredentials,
  type ChannelInterface,
  type ChannelOptions,
  connectivityState,
} from "@grpc/grpc-js";
import { type Clock, type ConnectionStatus, cell, type Live, type Timer } from "../../../index.js";
import type { ClientSecurity } from "../tls.js";

/**
 * A connection that is not ready after this is given up and dialled anew; a LAN handshake takes milliseconds. Each time it
 * may take twice as long, because grpc-js keeps the sockets that it was still waiting on: they close when the peer answers
 * or is gone, and until then a peer that hangs for an hour must not cost hundreds.
 */
const CONNECT_TIMEOUT_MS = { first: 5_000, longest: 900_000 };

/** How long a client that cannot connect may take to notice that its certificates were renewed. */
const RENEWAL_EVERY_MS = 5_000;

const CHANNEL_DEFAULTS: ChannelOptions = {
  // Connections belong to instances: two clients of one process must not see each other's, and closing one closes it.
  "grpc.use_local_subchannel_pool": 1,
  // Retries are the call's, where another instance can be taken and where they are counted.
  "grpc.enable_retries": 0,
  // Instances live in our own network; a proxy from the environment is for the world outside.
  "grpc.enable_http_proxy": 0,
  "grpc.service_config_disable_resolution": 1,
  // grpc-js waits up to 120 s, and a restarted server should get its share sooner.
  "grpc.initial_reconnect_backoff_ms": 250,
  "grpc.max_reconnect_backoff_ms": 5_000,
  // An instance that got no call for half an hour is still wanted.
  "grpc.client_idle_timeout_ms": 2 ** 31 - 1,
};

/** Which connection there was when a call began: how many there had been by then, negative if the last of them was ready. */
export type CallStart = number;

export class InstanceChannel implements ChannelInterface {
  readonly #open: () => Channel;
  readonly #security: ClientSecurity;
  #madeWith: ChannelCredentials | undefined;
  readonly #clock: Clock;
  readonly #status = cell<ConnectionStatus>("idle");
  #channel: Channel;
  #state = connectivityState.IDLE;
  /** How often the connection became ready. */
  #readyCount = 0;
  #receivedMs = 0;
  #closed = false;
  #patience: Timer | undefined;
  #renewal: Timer | undefined;
  #patienceMs = CONNECT_TIMEOUT_MS.first;

  constructor(address: string, security: ClientSecurity, clock: Clock, options: ChannelOptions = {}) {
    this.#security = security;
    this.#open = () => {
      this.#madeWith = security.credentials();
      return new Channel(address, this.#madeWith, { ...CHANNEL_DEFAULTS, ...security.channelOptions, ...options });
    };
    this.#clock = clock;
    this.#channel = this.#open();
    this.#watch(this.#channel);
  }

  get status(): Live<ConnectionStatus> {
    return this.#status;
  }

  /** Starts connecting if it is idle, as it is at first and after a connection was lost. */
  connect(): void {
    // Never at once: this may be the answer to a change of state that grpc-js is in the middle of.
    process.nextTick(() => {
      if (this.#closed) return;
      if (this.#state === connectivityState.IDLE && this.#isOutdated) this.#replace("connecting");
      else this.#channel.getConnectivityState(true);
    });
  }

  /** Replaces the connection if nothing was received on it for `silentMs`. While it is not ready, that is under way. */
  suspect(silentMs: number): void {
    if (this.#closed || this.#state !== connectivityState.READY) return;
    if (this.#clock.nowMs() - this.#receivedMs >= silentMs) this.#replace("connecting");
  }

  /** Takes note that the server was heard. */
  received(): void {
    this.#receivedMs = this.#clock.nowMs();
  }

  callStart(): CallStart {
    return this.#state === connectivityState.READY ? -this.#readyCount : this.#readyCount;
  }

  /** False only if the connection was ready at no moment since `start`: then nothing can have left. */
  couldHaveSent(start: CallStart): boolean {
    return start !== this.#readyCount;
  }

  /** True only if the connection was ready at `start`, and that very connection is gone. */
  lostSince(start: CallStart): boolean {
    return start < 0 && start !== this.callStart();
  }

  // ChannelInterface, as grpc-js's clients use it

  createCall(...call: Parameters<Channel["createCall"]>): ReturnType<Channel["createCall"]> {
    return this.#channel.createCall(...call);
  }

  getTarget(): string {
    return this.#channel.getTarget();
  }

  getConnectivityState(tryToConnect: boolean): connectivityState {
    return this.#channel.getConnectivityState(tryToConnect);
  }

  watchConnectivityState(...watch: Parameters<Channel["watchConnectivityState"]>): void {
    this.#channel.watchConnectivityState(...watch);
  }

  getChannelzRef(): ReturnType<Channel["getChannelzRef"]> {
    return this.#channel.getChannelzRef();
  }

  /** Takes no more calls; those in flight finish. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTimers();
    this.#channel.close();
    this.#status.set("idle");
  }

  /** Follows `channel` until it is replaced. grpc-js tells a watcher synchronously, before a call can use the change. */
  #watch(channel: Channel): void {
    if (this.#closed || channel !== this.#channel) return;
    const state = channel.getConnectivityState(false);
    channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => this.#watch(channel));
    this.#enter(state);
  }

  #enter(state: connectivityState): void {
    this.#state = state;
    if (state === connectivityState.READY) {
      this.#readyCount += 1;
      this.#receivedMs = this.#clock.nowMs();
      this.#cancelTimers();
      this.#patienceMs = CONNECT_TIMEOUT_MS.first;
      this.#status.set("ready");
    } else if (state === connectivityState.TRANSIENT_FAILURE) {
      this.#status.set("failing");
    } else if (state === connectivityState.CONNECTING) {
      // A peer that was failing stays so, for those who look, until it is ready.
      if (this.#status.current !== "failing") this.#status.set("connecting");
      this.#patience ??= this.#clock.after(this.#patienceMs, () => this.#giveUp());
      if (this.#security.changes) this.#renewal ??= this.#lookForRenewal();
    } else {
      this.#cancelTimers();
      this.#status.set("idle");
    }
  }

  get #isOutdated(): boolean {
    return this.#security.credentials() !== this.#madeWith;
  }

  /** Until it is ready: grpc-js tries again with the credentials that it was given, and they may be what fails. */
  #lookForRenewal(): Timer {
    return this.#clock.after(RENEWAL_EVERY_MS, () => {
      if (this.#isOutdated) this.#replace("failing");
      this.#renewal = this.#lookForRenewal();
    });
  }

  #giveUp(): void {
    this.#patienceMs = Math.min(this.#patienceMs * 2, CONNECT_TIMEOUT_MS.longest);
    this.#replace("failing");
  }

  #replace(status: ConnectionStatus): void {
    const old = this.#channel;
    const channel = this.#open();
    this.#cancelPatience();
    this.#channel = channel;
    this.#state = connectivityState.IDLE;
    channel.watchConnectivityState(this.#state, Number.POSITIVE_INFINITY, () => this.#watch(channel));
    this.connect();
    this.#status.set(status);
    old.close();
  }

  #cancelTimers(): void {
    this.#cancelPatience();
    this.#renewal?.cancel();
    this.#renewal = undefined;
  }

  #cancelPatience(): void {
    this.#patience?.cancel();
    this.#patience = undefined;
  }
}
