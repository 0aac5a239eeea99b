/** One line of NDJSON. 64-bit numbers become decimal text: they are beyond what many readers' numbers can hold. */
export function json(value: object): string {
  return JSON.stringify(value, (_key, each: unknown) => (typeof each === "bigint" ? each.toString() : each));
}
