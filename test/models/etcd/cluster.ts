/**
 * An etcd cluster of three members in memory and in virtual time: one log, leases, elections, compactions, members that
 * hang, stop or lag, leaders that wake and do not know that they were replaced, and the loss of everything. What it answers
 * is what the embedded registry answers, which a contract suite holds against real etcd; added are its members, and that it
 * can be rebuilt. It keeps the whole history, so that every view can be checked at the revision that it claims.
 */
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { Clock } from "../../../src/clock.js";
import type { EtcdError as Refusal } from "../../../src/embedded/errors.js";
import { Leases } from "../../../src/embedded/leases.js";
import type { RegistryState } from "../../../src/embedded/registry-state.js";
import { type Commit, RevisionStore } from "../../../src/embedded/revision-store.js";
import { kvService } from "../../../src/embedded/services/kv.js";
import { leaseService } from "../../../src/embedded/services/lease.js";
import { maintenanceService } from "../../../src/embedded/services/maintenance.js";
import { type Random, randomLeaseId } from "../../../src/random.js";
import { type EtcdError, statusError } from "../../../src/registry/etcd/client/etcd-error.js";
import { type ResponseHeader, ResponseHeaderSchema } from "../../../src/registry/etcd/proto/etcd_pb.js";
import { LeaseClock } from "./clocks.js";
import { History } from "./history.js";
import { HungLeaders } from "./hung-leaders.js";
import { type LogEntry, ModelMember } from "./member.js";

/** After which a member without a leader ends its streams, as three of etcd's election timeouts. */
const NO_LEADER_MS = 3_000;
// High enough for every rebuilt cluster that is to have a lower one.
const FIRST_TERM = 10_000n;
const TERMS_PER_LIFE = 100n;
const TERM_HEARD_AFTER_MS = 400;

/** Who asks; writes and leases are put down to them. */
export interface Caller {
  readonly name: string;
  /** What the caller says of itself at the time of sending. */
  readonly note: string;
}

export interface Deed {
  /** Nobody, when a lease ran out. */
  readonly caller: Caller | undefined;
  /** The method. */
  readonly request: string;
  readonly commit: Commit;
}

export type Rebuild =
  | "empty, another id"
  | "empty, the same id and a lower term"
  | "empty, the same id and term"
  | "from a snapshot, another id"
  | "from a snapshot, the same id and a lower term"
  | "from a snapshot, the same id and term";

export class ModelCluster {
  readonly clock: Clock;
  /** Stands in for the versions with known bugs, too. */
  version = "3.5.16";
  /** Each life that the cluster had, the present one last. */
  readonly histories: History[] = [];
  /** Why the next watches are refused, in order; without a reason they are not answered at all. */
  readonly watchRefusals: (string | undefined)[] = [];
  readonly members = [1n, 2n, 3n].map((id) => new ModelMember(`member-${id}`, id)) as readonly ModelMember[];
  readonly #random: Random;
  readonly #deedObservers = new Set<(deed: Deed) => void>();
  readonly #leaseOwners = new Map<bigint, string>();
  #clusterId = 7n;
  #term = FIRST_TERM;
  #electedAtMs = Number.NEGATIVE_INFINITY;
  #leader = this.members[0] as ModelMember; // of three
  readonly #hungLeaders: HungLeaders;
  #log: LogEntry[] = [];
  #state!: RegistryState; // made by #begin, which the constructor calls
  #leaseClock!: LeaseClock; // likewise
  #caller: Caller | undefined;
  #request = "";
  #leaderless: { cancel(): void } | undefined;
  /** Renewals that are confirmed although the lease is gone (fixed in 3.4.38 and 3.5.23). */
  #lyingRenewals = 0;

  constructor(clock: Clock, random: Random) {
    this.clock = clock;
    this.#random = random;
    this.#hungLeaders = new HungLeaders(clock, random);
    this.#begin([], []);
  }

  get history(): History {
    return this.histories.at(-1) as History; // there is one from the start
  }

  /** Which life of the cluster this is, from 0. */
  get life(): number {
    return this.histories.length - 1;
  }

  get revision(): bigint {
    return this.#state.store.revision;
  }

  get hasLeader(): boolean {
    return this.members.filter(({ standing }) => standing === "up").length > this.members.length / 2;
  }

  /** The leases that live and were granted to `name`. */
  leasesOf(name: string): bigint[] {
    return this.#state.leases.ids().filter((id) => this.#leaseOwners.get(id) === name);
  }

  ownerOf(lease: bigint): string | undefined {
    return this.#leaseOwners.get(lease);
  }

  onDeed(observer: (deed: Deed) => void): void {
    this.#deedObservers.add(observer);
  }

  /** What the leader answers. Throws an `EtcdError` as the client knows it. */
  answer<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    caller?: Caller,
  ): MessageShape<O> {
    const state = this.#state;
    const services: object = { ...kvService(state), ...leaseService(state), ...maintenanceService(state) };
    const handler = (services as Record<string, UnaryHandler>)[method.localName] as UnaryHandler; // made of these methods
    let response: { readonly header?: ResponseHeader } | undefined;
    let refusal: EtcdError | undefined;
    this.#caller = caller;
    this.#request = method.localName;
    handler({ request: create(method.input, request) }, (error, answer) => {
      if (error) refusal = statusError((error as Refusal).code, (error as Refusal).details, "the leader");
      response = answer;
    });
    this.#caller = undefined;
    if (refusal) throw refusal;
    if (method.localName === "leaseGrant") this.#granted(response as unknown as { ID: bigint; TTL: bigint }, caller);
    const version = method.localName === "status" ? { version: this.version } : {};
    return { ...create(method.output), ...response, ...version, header: this.header() };
  }

  /** The header that `member` would give now; the leader's when none is named. */
  header(member?: ModelMember): ResponseHeader {
    return create(ResponseHeaderSchema, {
      clusterId: this.#clusterId,
      memberId: member?.memberId ?? 1n,
      raftTerm: this.#term,
      revision: (member?.replica ?? this.#state.store).revision,
    });
  }

  /** As `member` heads its answer to a renewal, before it has asked the leader: it may not have heard of the last election. */
  headerBeforeRenewal(member: ModelMember): ResponseHeader {
    const header = this.header(member);
    const isNews = this.clock.nowMs() - this.#electedAtMs < TERM_HEARD_AFTER_MS;
    return isNews ? { ...header, raftTerm: header.raftTerm - 1n } : header;
  }

  /** The TTL that the lease has again, in seconds; 0 when there is none. */
  renew(id: bigint): bigint {
    const left = this.#state.leases.renew(id);
    if (left > 0n) this.#hungLeaders.renewed(id);
    if (left > 0n || this.#lyingRenewals === 0) return left;
    this.#lyingRenewals -= 1;
    return this.#hungLeaders.ttlOf(id) ?? 0n;
  }

  lieOnRenewals(times: number): void {
    this.#lyingRenewals = times;
  }

  compact(revision: bigint): void {
    if (revision <= this.#state.store.compactedRevision || revision > this.revision) return;
    this.#state.store.compact(revision);
    this.#append({ compact: revision });
  }

  /** A new leader grants every lease its whole time again. */
  elect(): void {
    this.#term += 1n;
    this.#electedAtMs = this.clock.nowMs();
    this.#leader = this.members.find((member) => member.standing === "up" && member !== this.#leader) ?? this.#leader;
    for (const id of this.#state.leases.ids()) this.renew(id);
  }

  /** To be called after the standing of a member changed. */
  settle(): void {
    const { life } = this;
    for (const member of this.members.filter(({ standing }) => standing === "up")) {
      this.#hungLeaders.wakes(member, (id) => {
        if (this.life === life && this.hasLeader && this.#state.leases.has(id)) this.#state.leases.revoke(id);
      });
    }
    if (this.hasLeader) {
      if (!this.#leaderless) {
        if (this.#leader.standing === "up") return;
        if (this.#leader.standing === "hung") this.#hungLeaders.replaced(this.#leader);
        this.elect();
        return;
      }
      this.#leaderless.cancel();
      this.#leaderless = undefined;
      this.#leaseClock.go();
      this.elect();
      for (const member of this.members) member.follow();
    } else if (!this.#leaderless) {
      this.#leaseClock.stop();
      // Who hung as leader and wakes after that may end the leases that outlived it; nothing can be done about two such faults.
      this.#hungLeaders.forget();
      this.#leaderless = this.clock.after(NO_LEADER_MS, () => {
        for (const member of this.members) if (member.standing === "up") member.cutStreams("etcdserver: no leader");
      });
    }
  }

  /** All members are lost and started again with what is left. */
  rebuild(how: Rebuild, snapshotRevision: bigint): void {
    const kept = how.startsWith("empty")
      ? []
      : this.history.commits.filter(({ revision }) => revision <= snapshotRevision);
    const leases = new Set(kept.flatMap(({ changes }) => changes.map(({ keyValue }) => keyValue.lease)));
    this.#leaderless?.cancel();
    this.#leaderless = undefined;
    this.#hungLeaders.forget();
    this.#leader = this.members[0] as ModelMember; // of three
    this.#electedAtMs = Number.NEGATIVE_INFINITY;
    this.#state.leases.close();
    if (!how.endsWith("and term")) this.#term = FIRST_TERM - BigInt(this.histories.length) * TERMS_PER_LIFE;
    if (how.endsWith("another id")) this.#clusterId += 1n;
    for (const member of this.members) {
      member.stop();
      member.restore();
    }
    this.#begin(
      kept,
      [...leases].filter((lease) => lease !== 0n),
    );
  }

  #begin(commits: readonly Commit[], leases: readonly bigint[]): void {
    const store = new RevisionStore();
    this.#leaseClock = new LeaseClock(this.clock);
    this.#log = [];
    this.histories.push(new History(this.#clusterId));
    store.observe((commit) => {
      this.history.add(commit);
      this.#append({ commit });
      for (const observer of this.#deedObservers) observer({ caller: this.#caller, request: this.#request, commit });
    });
    this.#state = {
      store,
      leases: new Leases(store, this.#leaseClock, this.#random),
      member: { clusterId: this.#clusterId, memberId: 1n, name: "the leader" },
      clock: this.clock,
      random: this.#random,
      openStreams: new Set(),
    };
    for (const lease of leases) this.#state.leases.grant(lease, this.#hungLeaders.ttlOf(lease) ?? 10n);
    for (const member of this.members) member.begin(this.#log);
    this.#caller = { name: "snapshot", note: "" };
    for (const { changes } of commits) {
      store.write((view) => {
        for (const { kind, keyValue } of changes) {
          if (kind === "put") view.put(keyValue.key, keyValue.value, keyValue.lease);
          else view.deleteRange({ from: keyOf(keyValue.key), to: `${keyOf(keyValue.key)}\0` });
        }
      });
    }
    this.#caller = undefined;
  }

  #append(entry: LogEntry): void {
    this.#log.push(entry);
    for (const member of this.members) member.follow();
  }

  #granted({ ID, TTL }: { readonly ID: bigint; readonly TTL: bigint }, caller: Caller | undefined): void {
    this.#hungLeaders.granted(ID, TTL);
    if (caller) this.#leaseOwners.set(ID, caller.name);
  }

  /** For an operator's own leases. */
  newLeaseId(): bigint {
    return randomLeaseId(this.#random);
  }
}

type UnaryHandler = (
  call: { readonly request: object },
  callback: (error: Error | null, response?: { readonly header?: ResponseHeader }) => void,
) => void;

function keyOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}
