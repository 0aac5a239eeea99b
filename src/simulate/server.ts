/** A server: takes calls, works on so many at a time, and is at times not as it should be. */
import type { Clock } from "../clock.js";
import type { Instance } from "../index.js";
import type { Random } from "../random.js";
import { drawLatency } from "./latency.js";
import { type DescribedServer, doneAt, type Phase, phaseAt, type ServerGroup } from "./scenario.js";

/** A call, as the server sees it. It is settled once; what comes later is not heard. */
export interface Request {
  answer(): void;
  fail(): void;
  /** True when nobody waits for the answer any more: it is not begun then. */
  readonly over: boolean;
}

export class Server {
  /** Among the servers of the scenario, from 0. */
  readonly place: number;
  readonly instance: Instance;
  readonly group: ServerGroup;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #observers = new Set<(up: boolean) => void>();
  readonly #running = new Set<Request>();
  #queue: Request[] = [];
  #queueHead = 0;
  #busy = 0;
  #up = true;

  constructor(place: number, described: DescribedServer, clock: Clock, random: Random) {
    const { group } = described;
    this.place = place;
    this.instance = instanceOf(described);
    this.group = group;
    this.#clock = clock;
    this.#random = random;
    for (const { condition, fromMs, untilMs } of group.phases ?? []) {
      if (condition !== "down") continue;
      clock.after(fromMs, () => this.#become(false));
      if (untilMs !== undefined) clock.after(untilMs, () => this.#become(true));
    }
  }

  /** Whether it is registered. */
  present(nowMs: number): boolean {
    const { joinMs = 0, leaveMs = Number.POSITIVE_INFINITY } = this.group;
    return joinMs <= nowMs && nowMs < leaveMs;
  }

  /** Tells at once, and after each change, whether anybody listens at the address. */
  follow(observer: (up: boolean) => void): Disposable {
    this.#observers.add(observer);
    observer(this.#up);
    return { [Symbol.dispose]: () => void this.#observers.delete(observer) };
  }

  take(request: Request): void {
    const phase = phaseAt(this.group, this.#clock.nowMs());
    if (phase?.condition === "hangs") return;
    if (phase?.condition === "fails" && this.#random() < (phase.share ?? 1)) {
      this.#afterWork(phase.afterMs, () => request.fail());
    } else if (this.#busy < (this.group.workers ?? Number.POSITIVE_INFINITY)) {
      this.#begin(request, phase);
    } else {
      this.#queue.push(request);
    }
  }

  #begin(request: Request, phase: Phase | undefined): void {
    this.#busy += 1;
    this.#running.add(request);
    this.#afterWork(this.#duration(phase), () => {
      if (!this.#running.delete(request)) return;
      this.#busy -= 1;
      if (phaseAt(this.group, this.#clock.nowMs())?.condition !== "hangs") request.answer();
      this.#next();
    });
  }

  #afterWork(workMs: number, done: () => void): void {
    const nowMs = this.#clock.nowMs();
    this.#clock.after(doneAt(this.group, nowMs, workMs) - nowMs, done);
  }

  #next(): void {
    for (;;) {
      const request = this.#queue[this.#queueHead];
      if (request === undefined) break;
      this.#queueHead += 1;
      if (request.over) continue;
      this.#begin(request, phaseAt(this.group, this.#clock.nowMs()));
      break;
    }
    if (this.#queueHead < 1_000 && this.#queueHead < this.#queue.length) return;
    this.#queue = this.#queue.slice(this.#queueHead);
    this.#queueHead = 0;
  }

  #duration(phase: Phase | undefined): number {
    if (phase?.condition === "answers") return drawLatency(phase.latency, this.#random);
    const usualMs = drawLatency(this.group.latency, this.#random);
    if (phase?.condition === "slow") return usualMs * phase.factor;
    if (phase?.condition === "cold") return usualMs * coldness(phase, phase.factor, this.#clock.nowMs());
    return usualMs;
  }

  #become(up: boolean): void {
    this.#up = up;
    if (!up) {
      const lost = [...this.#running, ...this.#queue.slice(this.#queueHead)];
      this.#running.clear();
      this.#queue = [];
      this.#queueHead = 0;
      this.#busy = 0;
      for (const request of lost) request.fail();
    }
    for (const observer of this.#observers) observer(up);
  }
}

function instanceOf({ address, group: { weight, zone } }: DescribedServer): Instance {
  const said = { ...(weight !== undefined && { weight }), ...(zone !== undefined && { zone }) };
  return { id: `/services/simulated/${address}`, address, ...said };
}

/** 1/t, from `factor` down to 1 at the end of the phase, as in Finagle's balancersim. */
function coldness({ fromMs, untilMs = Number.POSITIVE_INFINITY }: Phase, factor: number, nowMs: number): number {
  const elapsed = (nowMs - fromMs) / (untilMs - fromMs);
  return Math.max(1, Math.min(factor, 1 / elapsed));
}
