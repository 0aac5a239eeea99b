import type { Candidate } from "../strategy.js";

/** Says of a candidate what the candidate says itself; who extends it says something else in part. */
export class CandidateWrapper<E extends Candidate> implements Candidate {
  readonly candidate: E;
  readonly address: string;
  readonly zone?: string;
  readonly version?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly joinedMs?: number;

  constructor(candidate: E) {
    const { address, zone, version, metadata, joinedMs } = candidate;
    this.candidate = candidate;
    this.address = address;
    if (zone !== undefined) this.zone = zone;
    if (version !== undefined) this.version = version;
    if (metadata !== undefined) this.metadata = metadata;
    if (joinedMs !== undefined) this.joinedMs = joinedMs;
  }

  get weight(): number {
    return this.candidate.weight;
  }

  get usable(): boolean {
    return this.candidate.usable;
  }

  get pending(): number {
    return this.candidate.pending;
  }

  cost(): number {
    return this.candidate.cost();
  }
}
