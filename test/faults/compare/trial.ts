/** One subject, a client library of etcd, under one fault of the catalogue. */
import type { EtcdCluster } from "../../support/etcd.js";
import { type Laboratory, type LaboratoryOptions, startLaboratory, TTL_MS } from "../lab/laboratory.js";
import { type Participant, type ParticipantOptions, startParticipant } from "../lab/participant.js";

export interface Subject {
  readonly name: string;
  /** What its participants run; rollcall's own program when absent. */
  readonly program?: URL;
}

export interface Scenario {
  /** Of the catalogue. */
  readonly row: number;
  readonly fault: string;
  /** What has to come true. */
  readonly must: string;
  /** How late it may be and still count; it is waited for up to `PATIENCE_MS`. */
  readonly withinMs?: number;
  readonly options?: LaboratoryOptions;
  /** Resolves with how long what must be took, if that is counted; rejects with what was seen instead. */
  run(trial: Trial): Promise<number | undefined>;
}

export interface Trial {
  readonly lab: Laboratory;
  readonly cluster: EtcdCluster;
  participant(options?: Partial<ParticipantOptions>): Promise<Participant>;
}

export interface Verdict {
  readonly survived: "yes" | "late" | "no";
  /** The time it took, or what was seen instead. */
  readonly evidence: string;
}

/** How long a subject may take to recover at all. */
export const PATIENCE_MS = 30_000;

export async function judge(scenario: Scenario, subject: Subject): Promise<Verdict> {
  try {
    await using lab = await startLaboratory({ size: 1, ...scenario.options });
    const tookMs = await scenario.run({
      lab,
      cluster: lab.cluster,
      participant: async (options = {}) =>
        lab.owns(
          await startParticipant(
            { endpoints: lab.cluster.endpoints, ttlMs: TTL_MS, ...options },
            ...(subject.program ? ([subject.program] as const) : []),
          ),
        ),
    });
    if (tookMs === undefined) return { survived: "yes", evidence: "" };
    const late = scenario.withinMs !== undefined && tookMs > scenario.withinMs;
    return { survived: late ? "late" : "yes", evidence: `${(tookMs / 1_000).toFixed(1)} s` };
  } catch (error) {
    return { survived: "no", evidence: error instanceof Error ? error.message : String(error) };
  }
}
