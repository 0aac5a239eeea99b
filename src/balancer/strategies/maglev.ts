/**
 * One key, one endpoint, by a table (Maglev, NSDI '16; Envoy's `maglev`). Each candidate has an order of its own in which it
 * wants the places of the table, and they take them by turns. Shares are equal within 1 %, and a lookup is one step. When one
 * leaves, of the keys of the others a few move too, less than 1 %: where that must not be, take a ring or rendezvous.
 *
 * The table does not grow with the set: another size would move nearly every key. Building it takes about 5 ms for a hundred
 * endpoints or a thousand, 12 ms for ten thousand, and is left to the first pick after an update. A ring is updated in 0.3, 3 and
 * 8 ms: where thousands come and go all the time, take that.
 */
import { RollcallError } from "../../errors.js";
import { hash } from "../../hash.js";
import { refuseUnknownOptions } from "../../known-options.js";
import { randomInteger } from "../../random.js";
import { Circle } from "../hashing/circle.js";
import { type HashingOptions, identityOf } from "../hashing/identity.js";
import type { Candidate, PickContext, Strategy } from "../strategy.js";
import { weightReader } from "../weight.js";

export interface MaglevOptions extends HashingOptions {
  /**
   * The places of the table, a prime number; default 65,537. Of a hundred times as many places as endpoints each gets its
   * share within 1 %. At most 5,000,011. (Envoy: `table_size`.)
   */
  readonly tableSize?: number | undefined;
}

const DEFAULTS = { tableSize: 65_537 };
const MAX_TABLE_SIZE = 5_000_011;

const KNOWN: Readonly<Record<keyof MaglevOptions, true>> = { tableSize: true, identity: true };

/** What a table depends on. */
interface Owner {
  readonly identity: string;
  readonly weight: number;
}

export function maglev(options: MaglevOptions = {}): Strategy {
  refuseUnknownOptions("maglev()", options, KNOWN);
  const { tableSize = DEFAULTS.tableSize, identity } = options;
  if (!isPrime(tableSize) || tableSize > MAX_TABLE_SIZE) {
    throw new RollcallError(
      "INVALID_ARGUMENT",
      `a table of ${tableSize} places: give maglev() a \`tableSize\` that is prime and at most ${MAX_TABLE_SIZE}`,
    );
  }
  return ({ random }) => {
    let built: { readonly owners: readonly Owner[]; readonly circle: Circle } | undefined;

    const circleOf = (candidates: readonly Candidate[]): Circle => {
      const weightOf = weightReader(candidates);
      const owners = candidates.map((one) => ({ identity: identityOf(one, identity), weight: weightOf(one) }));
      if (built === undefined || !sameOwners(built.owners, owners)) {
        built = { owners, circle: new Circle(fillTable(owners, tableSize), owners.length) };
      }
      return built.circle;
    };

    return <E extends Candidate>(candidates: readonly E[]) => {
      let circle: Circle | undefined;
      return (context: PickContext): E | undefined => {
        circle ??= circleOf(candidates);
        const { hashKey } = context;
        const place = hashKey === undefined ? randomInteger(random, tableSize) : hash(hashKey) % tableSize;
        return circle.pick(place, candidates, context);
      };
    };
  };
}

/** Of each place, the owner's place in `owners`. Whoever weighs less than the heaviest sits out some of the turns. */
function fillTable(owners: readonly Owner[], size: number): Int32Array {
  const table = new Int32Array(size).fill(-1);
  const turns = owners.map(({ identity, weight }, place) => {
    const first = hash(identity, 1);
    return { place, weight, due: 0, first, wanted: first % size, skip: (hash(identity, 2) % (size - 1)) + 1 };
  });
  turns.sort((a, b) => a.first - b.first); // whatever ids the instances have
  const heaviest = owners.reduce((most, { weight }) => Math.max(most, weight), 0);
  let left = owners.length === 0 ? 0 : size;
  for (let round = 1; left > 0; round += 1) {
    for (const turn of turns) {
      if (left === 0) break;
      if (round * turn.weight < turn.due) continue;
      turn.due += heaviest;
      let wanted = turn.wanted;
      while ((table[wanted] ?? 0) >= 0) {
        wanted += turn.skip;
        if (wanted >= size) wanted -= size;
      }
      table[wanted] = turn.place;
      turn.wanted = wanted;
      left -= 1;
    }
  }
  return table;
}

function sameOwners(a: readonly Owner[], b: readonly Owner[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ identity, weight }, n) => identity === b[n]?.identity && weight === b[n]?.weight)
  );
}

function isPrime(value: number): boolean {
  if (!Number.isInteger(value) || value < 2) return false;
  for (let divisor = 2; divisor * divisor <= value; divisor += 1) if (value % divisor === 0) return false;
  return true;
}
