/** A change of few elements of a long sorted list: a search for each, and one copy. */

/** `sorted` without `left`, which are in it, and with `came`. Both may be in any order; `sorted` stays as it is. */
export function withChanges<T>(
  sorted: readonly T[],
  left: readonly T[],
  came: readonly T[],
  order: (a: T, b: T) => number,
): readonly T[] {
  const edits = [
    ...left.map((element) => ({ at: placeOf(element, sorted, order), came: undefined, element })),
    ...came.map((element) => ({ at: placeOf(element, sorted, order), came: element, element })),
  ].sort((a, b) => a.at - b.at || order(a.element, b.element));
  const changed: T[] = [];
  let next = 0;
  for (const edit of edits) {
    while (next < edit.at) changed.push(sorted[next++] as T); // below the length
    if (edit.came === undefined) next = edit.at + 1;
    else changed.push(edit.came);
  }
  while (next < sorted.length) changed.push(sorted[next++] as T);
  return changed;
}

/** The first index whose element does not come before `element`. */
function placeOf<T>(element: T, sorted: readonly T[], order: (a: T, b: T) => number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (order(sorted[middle] as T, element) < 0)
      low = middle + 1; // between low and high
    else high = middle;
  }
  return low;
}
