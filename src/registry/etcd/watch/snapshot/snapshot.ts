/**
 * What a prefix held, as bytes in a file: a line that says whose snapshot it is and of when, a line per entry, and a line
 * with the checksum of all before it. Whatever is cut short or altered does not pass for a snapshot.
 *
 * Why the entries and not the instances: the layout may read more of them tomorrow, and the revision and the lease
 * of each tell whether what etcd shows later is the same.
 */
import { createHash } from "node:crypto";
import type { Entry, StoreHeader } from "../position.js";

export interface Snapshot {
  readonly prefix: string;
  /** The members that the client was given, each `host:port`. */
  readonly members: readonly string[];
  readonly header: StoreHeader;
  readonly entries: readonly Entry[];
  /** Until when it was known to be true, in milliseconds since the Unix epoch. */
  readonly trueAtEpochMs: number;
}

const FORMAT = "rollcall snapshot";
const VERSION = 1;
// Some milliseconds of work with values of usual size.
const ENTRIES_PER_PIECE = 500;

/** The file in pieces, so that whoever writes them can let the event loop turn in between. */
export function* encodeSnapshot({ prefix, members, header, entries, trueAtEpochMs }: Snapshot): Generator<string> {
  const { clusterId, raftTerm, revision } = header;
  const store = { clusterId: `${clusterId}`, raftTerm: `${raftTerm}`, revision: `${revision}` };
  const checksum = createHash("sha256");
  const piece = (lines: readonly unknown[]) => {
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    checksum.update(text);
    return text;
  };
  yield piece([{ format: FORMAT, version: VERSION, prefix, members, ...store, trueAtEpochMs }]);
  for (let next = 0; next < entries.length; next += ENTRIES_PER_PIECE) {
    yield piece(entries.slice(next, next + ENTRIES_PER_PIECE).map(entryLine));
  }
  yield `${JSON.stringify({ sha256: checksum.digest("hex") })}\n`;
}

/** Throws an error whose message ends the sentence "the snapshot is ignored: it …". */
export function decodeSnapshot(text: string): Snapshot {
  const body = text.slice(0, text.lastIndexOf("\n", text.length - 2) + 1);
  const [first, ...lines] = body.trimEnd().split("\n").map(parsed);
  if (!isRecord(first) || first.format !== FORMAT) throw new Error("is damaged, or no snapshot of rollcall");
  if (first.version !== VERSION) throw new Error(`is of version ${first.version}, and this rollcall reads ${VERSION}`);
  const last = parsed(text.slice(body.length));
  if (!isRecord(last) || last.sha256 !== createHash("sha256").update(body).digest("hex")) {
    throw new Error("is damaged: its checksum does not fit");
  }
  // The checksum shows that it is as `encodeSnapshot` wrote it.
  const { prefix, members, clusterId, raftTerm, revision, trueAtEpochMs } = first as unknown as HeadLine;
  const header = { clusterId: BigInt(clusterId), raftTerm: BigInt(raftTerm), revision: BigInt(revision) };
  return { prefix, members, header, entries: lines.map((line) => entryOf(line as EntryLine)), trueAtEpochMs };
}

interface HeadLine extends Pick<Snapshot, "prefix" | "members" | "trueAtEpochMs"> {
  readonly clusterId: string;
  readonly raftTerm: string;
  readonly revision: string;
}

/** The key, the value in base64, the revision of its last change, its lease. */
type EntryLine = readonly [key: string, value: string, modRevision: string, lease: string];

function entryLine({ key, value, modRevision, lease }: Entry): EntryLine {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return [key, bytes.toString("base64"), `${modRevision}`, `${lease}`];
}

function entryOf([key, value, modRevision, lease]: EntryLine): Entry {
  return { key, value: Buffer.from(value, "base64"), modRevision: BigInt(modRevision), lease: BigInt(lease) };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
