/** What happens in the demo, in the words of its NDJSON; everything that is shown is made from these. */

/** An instance as the client sees it. */
export interface InstanceCount {
  readonly address: string;
  /** The endpoint's state, or `gone` when its address is not in the view. */
  readonly endpoint: "connecting" | "ready" | "unready" | "gone";
  /** Attempts that began there. */
  readonly attempts: number;
  /** Calls that it answered. */
  readonly calls: number;
  /** Attempts that failed there. */
  readonly errors: number;
  /** Of its last 200 answers, in milliseconds; 0 before the first. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** When the last attempt began there, since the Unix epoch. */
  readonly lastAttemptAtMs: number;
}

export interface Snapshot {
  readonly calls: number;
  readonly failed: number;
  /** Of the calls as a whole, every attempt included. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly slowestMs: number;
  readonly instances: readonly InstanceCount[];
}

/** One of the things that the demo promises to show. */
export interface Finding {
  readonly what: string;
  readonly seen: boolean;
}

export interface Summary {
  readonly calls: number;
  readonly failed: number;
  readonly slowestMs: number;
  /** Of the eight calls. */
  readonly eight: Readonly<Record<string, number>>;
  readonly byInstance: Readonly<Record<string, number>>;
  readonly killed: {
    readonly address: string;
    /** From the kill to the last attempt there. */
    readonly lastAttemptAfterMs: number;
    /** From the kill until the registry had dropped it. */
    readonly goneAfterMs: number;
  };
  readonly findings: readonly Finding[];
  readonly elapsedMs: number;
  readonly ok: boolean;
}

export type ServerChange = "started" | "killed" | "draining" | "stopped" | "restarted" | "joined";

export type DemoEvent =
  | { readonly event: "process"; readonly name: string; readonly pid: number }
  | {
      readonly event: "registry";
      readonly kind: "embedded" | "cluster" | "etcd";
      readonly endpoints: readonly string[];
    }
  | { readonly event: "note"; readonly text: string }
  | { readonly event: "members"; readonly list: readonly string[] }
  | { readonly event: "server"; readonly change: ServerChange; readonly address: string }
  | { readonly event: "client" }
  | { readonly event: "call"; readonly number: number; readonly address: string; readonly reply: string }
  | { readonly event: "steady" }
  | { readonly event: "view"; readonly state: "pending" | "live" | "stale"; readonly addresses: readonly string[] }
  | { readonly event: "attempt-failed"; readonly address: string; readonly message: string }
  | { readonly event: "call-failed"; readonly message: string }
  | { readonly event: "member-killed"; readonly name: string; readonly endpoint: string }
  | { readonly event: "leader"; readonly name: string; readonly afterMs: number }
  | ({ readonly event: "snapshot" } & Snapshot)
  | { readonly event: "log"; readonly from: string; readonly line: string }
  | { readonly event: "interrupted"; readonly signal: NodeJS.Signals }
  | ({ readonly event: "summary" } & Summary);

/** Tells whoever watches. */
export type Report = (event: DemoEvent) => void;
