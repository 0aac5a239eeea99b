/**
 * Which life of the cluster each view of a client shows. A view does not say it, so it is worked out: the reading under which
 * most views are exact, in which a client never goes back to an earlier life, goes to another one with a new epoch, and
 * begins a new epoch for no other reason.
 *
 * Where nothing under the prefix tells two lives apart when a client passes from one to the other, as when nobody was
 * registered yet in either, the epoch may stay (docs/decisions/0015).
 */
import type { AuditEvent } from "../lab/auditor.js";
import { type ClientRecord, type Life, PREFIX } from "./recording.js";
import { judge, type KnownView, knownUntil, knownViews } from "./truth.js";

export interface PlacedView {
  readonly view: KnownView;
  readonly life: Life;
  /** What the client did there that it must not. */
  readonly leap?: string;
}

const SCORES = { exact: 1_000, unknowable: 1, wrong: 0 };
// Less than one exact view is worth: what cannot be known is no better reading than a leap.
const LEAP_SCORE = -500;

interface Path {
  readonly score: number;
  readonly placed: PlacedView;
  readonly before: Path | undefined;
}

/** In the views' order; what was published before all lives is left out. */
export function placeViews(client: ClientRecord, lives: readonly Life[]): readonly PlacedView[] {
  const alike = likeness(lives);
  /** The best way to each life. */
  let paths = new Map<Life, Path>();
  for (const view of knownViews(client)) {
    const next = new Map<Life, Path>();
    for (const [index, life] of lives.entries()) {
      if (view.atMs < life.sinceMs) break;
      const own = SCORES[judge(view, life, lives)];
      const ways = lives.slice(0, index + 1).flatMap((from): Path[] => {
        const before = paths.get(from);
        if (!before) return [];
        const leap = leapOf(before.placed, view, life, alike);
        const score = before.score + own + (leap === undefined ? 0 : LEAP_SCORE);
        return [{ score, before, placed: { view, life, ...(leap !== undefined && { leap }) } }];
      });
      if (paths.size === 0) ways.push({ score: own, before: undefined, placed: { view, life } });
      const best = ways.reduce<Path | undefined>((a, b) => (a && a.score >= b.score ? a : b), undefined);
      if (best) next.set(life, best);
    }
    if (next.size > 0) paths = next;
  }
  let best = [...paths.values()].reduce<Path | undefined>((a, b) => (a && a.score >= b.score ? a : b), undefined);
  const placed: PlacedView[] = [];
  for (; best; best = best.before) placed.push(best.placed);
  return placed.reverse();
}

function leapOf(
  { view: before, life: from }: PlacedView,
  view: KnownView,
  life: Life,
  alike: ReturnType<typeof likeness>,
): string | undefined {
  if (view.epoch === before.epoch && life !== from && !alike(from, life, before.revision, view.revision)) {
    return "and the cluster was rebuilt since its last view, of the same epoch";
  }
  if (view.epoch > before.epoch && life === from) return "and the cluster was not rebuilt since its last view";
  return undefined;
}

/**
 * Tells whether a client that stood at `before` in one life can take another for the same when it comes to `after` there:
 * - at a revision at which both have the same keys, revisions, leases and values under the prefix;
 * - or by a list, where the other life was compacted past `before`, if all that is listed was put later.
 */
function likeness(lives: readonly Life[]) {
  const contents = new Map(lives.map((life) => [life, contentsOf(life)]));
  return (a: Life, b: Life, before: bigint, after: bigint): boolean => {
    for (let revision = before; revision <= after; revision += 1n) {
      const content = contents.get(a)?.[Number(revision)];
      if (content !== undefined && sameContent(content, contents.get(b)?.[Number(revision)])) return true;
    }
    const listed = contents.get(b)?.[Number(after)];
    const wasCompacted = b.compactions?.some((revision) => revision > before) ?? false;
    return wasCompacted && [...(listed ?? [])].every(({ modRevision }) => modRevision > before);
  };
}

type Content = ReadonlySet<AuditEvent>;

/** What stands under the prefix, by revision, as far as that is known. */
function contentsOf(life: Life): readonly Content[] {
  const standing = new Map<string, AuditEvent>();
  const contents: Content[] = [new Set()];
  for (let revision = 1n; revision <= knownUntil(life); revision += 1n) {
    for (const event of life.events) {
      if (event.modRevision !== revision || !event.key.startsWith(PREFIX)) continue;
      if (event.value === undefined) standing.delete(event.key);
      else standing.set(event.key, event);
    }
    contents.push(new Set(standing.values()));
  }
  return contents;
}

/** Events of two lives are never one and the same, and may say the same. */
function sameContent(a: Content, b: Content | undefined): boolean {
  if (!b || a.size !== b.size) return false;
  const say = ({ key, modRevision, lease, value }: AuditEvent) => `${key} ${modRevision} ${lease} ${value}`;
  const said = new Set([...b].map(say));
  return [...a].every((event) => said.has(say(event)));
}
