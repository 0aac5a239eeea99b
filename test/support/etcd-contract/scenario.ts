import type { EtcdTranscript } from "../etcd-transcript.js";

export interface Scenario {
  readonly name: string;
  /** Why older etcds answer otherwise, where they do. */
  readonly notBefore35?: string;
  run(etcd: EtcdTranscript): Promise<void>;
}
