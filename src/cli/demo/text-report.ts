/** The demo for people: a line for each thing that happens, and a live table of the instances where there is a terminal. */

import { type Paint, painter, type Style } from "../table.js";
import type { DemoEvent, Report, ServerChange, Snapshot } from "./events.js";
import { instanceTable } from "./instance-table.js";
import { LiveTable, type Screen } from "./live-table.js";
import { summaryLines } from "./summary-text.js";

const REGISTRIES = {
  embedded: "embedded in this process, with etcd's API, at",
  cluster: "three members of etcd,",
  etcd: "your etcd,",
};

const CHANGES: Record<ServerChange, readonly [told: string, style: Style]> = {
  started: ["is registered", "green"],
  joined: ["joins as a fourth server", "green"],
  killed: ["is killed (SIGKILL): nobody is told, its lease goes on", "red"],
  draining: ["drains (SIGTERM): leaves the registry, finishes its calls, ends", "yellow"],
  stopped: ["has ended", "yellow"],
  restarted: ["is back on its address", "green"],
};

export function textReport(stdout: Screen): Report {
  const report = new TextReport(stdout, painter(stdout.isTTY === true, process.env));
  return (event) => report.tell(event);
}

class TextReport {
  readonly #live: LiveTable;
  readonly #paint: Paint;
  readonly #servers = new Map<string, ServerChange>();
  #counts: Snapshot["instances"] = [];
  #steadySinceMs: number | undefined;

  constructor(stdout: Screen, paint: Paint) {
    this.#live = new LiveTable(stdout);
    this.#paint = paint;
  }

  tell(event: DemoEvent): void {
    switch (event.event) {
      case "process":
        break;
      case "registry":
        this.#heading("A registry, three servers, a client");
        this.#say(`registry: ${REGISTRIES[event.kind]} ${event.endpoints.join(", ")}`);
        break;
      case "note":
        this.#say(event.text);
        break;
      case "members":
        this.#say("$ etcdctl member list", "dim");
        for (const line of event.list) this.#say(line);
        break;
      case "server":
        this.#servers.set(event.address, event.change);
        this.#say(`${event.address} ${CHANGES[event.change][0]}`, CHANGES[event.change][1]);
        break;
      case "client":
        this.#say("the client, a process of its own, connects to every server");
        break;
      case "call":
        if (event.number === 1) this.#heading("The tutorial: eight calls, round robin");
        this.#say(`${event.number} → ${event.address}  ${event.reply}`);
        break;
      case "steady":
        this.#heading(
          "Steady calls from four callers; they are idempotent, so one that loses its server is made elsewhere",
        );
        this.#steadySinceMs = Date.now();
        break;
      case "view":
        this.#say(`the client's view is ${event.state}: ${event.addresses.join(", ")}`, "dim");
        break;
      case "attempt-failed":
        this.#say(`an attempt at ${event.address} failed (${event.message}), the call goes on elsewhere`, "yellow");
        break;
      case "call-failed":
        this.#say(`A CALL FAILED: ${event.message}`, "red");
        break;
      case "member-killed":
        this.#say(`etcd ${event.name} (${event.endpoint}), the leader, is killed (SIGKILL)`, "red");
        break;
      case "leader":
        this.#say(`etcd ${event.name} leads after ${event.afterMs} ms; every lease has its whole time anew`, "green");
        break;
      case "log":
        this.#say(`${event.from} says: ${event.line}`, "dim");
        break;
      case "snapshot":
        this.#counts = event.instances;
        this.#live.show(["", ...this.#table()]);
        break;
      case "interrupted":
        this.#live.clear();
        this.#say(`stopped by ${event.signal}: everything that the demo started has ended`, "yellow");
        break;
      case "summary":
        this.#live.clear();
        this.#heading("Summary");
        for (const line of [...this.#table(), "", ...summaryLines(event, this.#paint)]) this.#live.line(line);
        break;
    }
  }

  #heading(text: string): void {
    this.#live.line(`\n${this.#paint("bold", text)}`);
  }

  #say(text: string, style?: Style): void {
    const sinceMs = this.#steadySinceMs;
    const at = sinceMs === undefined ? "" : `${((Date.now() - sinceMs) / 1_000).toFixed(1)} s`.padStart(6);
    this.#live.line(`${this.#paint("dim", at)}  ${style ? this.#paint(style, text) : text}`);
  }

  #table(): readonly string[] {
    const rows = [...this.#servers].map(([address, change]) => ({
      address,
      change,
      count: this.#counts.find((count) => count.address === address),
    }));
    return instanceTable(rows, this.#paint);
  }
}
