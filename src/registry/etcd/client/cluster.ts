/** The members as one thing that answers: requests in wire form go to whichever member can take them. */
import { status } from "@grpc/grpc-js";
import { toError } from "../../../errors.js";
import { type CallScope, callScope } from "./call-scope.js";
import type { ClientPlan } from "./client-options.js";
import type { Connection, WireRequest } from "./connection.js";
import { closedError, EtcdError } from "./etcd-error.js";
import { failover } from "./failover.js";
import { localAddressTo } from "./local-address.js";
import { Member, type Purpose } from "./member.js";
import { type Members, members } from "./members.js";
import { followRotation } from "./rotation.js";

export interface EffortOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Told, while it goes on, when no member is left that answers, and whenever the reasons change. */
  readonly onSilence?: (error: Error) => void;
}

/** One operation for one caller, over however many members and tries. */
export interface Effort extends Pick<EffortOptions, "onSilence"> {
  /** Aborts with an `EtcdError` when time is up, the caller cancels or the client closes. */
  readonly signal: AbortSignal;
  /** The last fault of each member, and whatever else it waits for, for the error of an operation that ran out of time. */
  readonly faults: Map<string, string>;
  /** What one member may take of the time before another is tried beside it. */
  readonly shareMs: number;
}

/**
 * Far more than an answer takes, and a call that finds its member hung is answered by another in under a second; less where
 * the deadline leaves less for each member.
 */
const LONGEST_SHARE_MS = 750;

export interface Link {
  readonly member: Member;
  readonly connection: Connection;
}

export class Cluster {
  readonly #plan: ClientPlan;
  readonly #members: Members<Member>;
  readonly #scopes = new Set<CallScope>();
  /** What each member was at fault for that has not answered since. */
  readonly #faults = new Map<string, string>();
  readonly #efforts = new Set<Effort>();
  readonly #rotation: Disposable;
  #closed = false;

  constructor(plan: ClientPlan) {
    this.#plan = plan;
    this.#members = members(
      plan.targets.map((target) => new Member(target, plan.connection, plan.random)),
      plan.random,
    );
    const { security } = plan.connection;
    this.#rotation = followRotation({ ...plan, security, members: this.#members.inOrder });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The member that is tried first. */
  get preferred(): Member {
    return this.#members.inOrder[0] as Member; // a list of endpoints is never empty
  }

  /** Gives `operation` the time and the signal of its caller. */
  async effort<T>(options: EffortOptions, operation: (effort: Effort) => Promise<T>): Promise<T> {
    if (this.#closed) throw closedError();
    const timeoutMs = options.timeoutMs ?? this.#plan.timeoutMs;
    const faults = new Map<string, string>();
    const outOfTime = () =>
      silence(`no etcd member answered within ${timeoutMs} ms`, new Map([...this.#faults, ...faults]));
    using scope = callScope(this.#plan.clock, timeoutMs, outOfTime, options.signal);
    const shareMs = Math.min(LONGEST_SHARE_MS, timeoutMs / (this.#members.inOrder.length + 1));
    const { onSilence } = options;
    const effort: Effort = { signal: scope.signal, faults, shareMs, ...(onSilence && { onSilence }) };
    this.#scopes.add(scope);
    this.#efforts.add(effort);
    if (this.#isSilent) onSilence?.(this.#silence());
    try {
      return await operation(effort);
    } finally {
      this.#scopes.delete(scope);
      this.#efforts.delete(effort);
    }
  }

  /** Sends until a member answers: it may be done twice. */
  send(request: WireRequest, effort: Effort): Promise<Buffer> {
    return this.#failover("unary", Number.POSITIVE_INFINITY, effort, async (member, signal) => {
      const connection = member.connection("unary");
      await connection.ready;
      return connection.unary(request, signal);
    });
  }

  /** A connection that stands, to the first member that has one; each is tried `rounds` times. */
  connect(purpose: Purpose, rounds: number, effort: Effort): Promise<Link> {
    return this.#failover(purpose, rounds, effort, async (member) => {
      const connection = member.connection(purpose);
      await connection.ready;
      return { member, connection };
    });
  }

  localAddress(effort: Effort): Promise<string> {
    const { clock, connection } = this.#plan;
    return this.#failover("unary", Number.POSITIVE_INFINITY, effort, ({ target }, signal) =>
      localAddressTo(target, connection.dialTimeoutMs, clock, signal).catch((error: unknown) => {
        throw new EtcdError("unavailable", status.UNAVAILABLE, `${target}: ${toError(error).message}`);
      }),
    );
  }

  /** The member is at fault: others come first from now on. */
  blame(member: Member, reason: string): void {
    this.#members.demote(member);
    this.#tell(member, reason);
  }

  /** Fails every effort and call with `CLOSED`, and closes all connections. */
  close(): void {
    const error = closedError();
    this.#closed = true;
    this.#rotation[Symbol.dispose]();
    for (const scope of [...this.#scopes]) scope.end(error);
    for (const member of this.#members.inOrder) member.close(error);
  }

  #failover<T>(
    purpose: Purpose,
    rounds: number,
    { signal, faults, shareMs }: Effort,
    attempt: (member: Member, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock, random } = this.#plan;
    return failover({
      members: this.#members,
      attempt: async (member, ended) => {
        const answer = await attempt(member, ended);
        this.#faults.delete(member.target);
        return answer;
      },
      shareMs,
      rounds,
      clock,
      random,
      signal,
      onFault: (member, fault) => {
        if (fault === "slow") member.distrust(purpose);
        const reason = fault === "slow" ? `${member.target}: no answer yet` : fault.message;
        faults.set(member.target, reason);
        this.#tell(member, reason);
      },
    });
  }

  #tell(member: Member, reason: string): void {
    const before = this.#faults.get(member.target);
    if (before === undefined) this.#plan.logger.info(`etcd member put last: ${reason}`);
    if (before === reason) return;
    this.#faults.set(member.target, reason);
    if (this.#isSilent) for (const { onSilence } of [...this.#efforts]) onSilence?.(this.#silence());
  }

  get #isSilent(): boolean {
    return this.#faults.size === this.#members.inOrder.length;
  }

  #silence(): EtcdError {
    return silence("no etcd member answers", this.#faults);
  }
}

/** Whether the member, and not the request, is to blame. */
export function isFault(error: unknown): error is EtcdError {
  return error instanceof EtcdError && (error.kind === "unavailable" || error.kind === "timeout");
}

function silence(what: string, faults: ReadonlyMap<string, string>): EtcdError {
  const reasons = faults.size > 0 ? `: ${[...faults.values()].join("; ")}` : "";
  return new EtcdError("timeout", status.DEADLINE_EXCEEDED, `${what}${reasons}`);
}
