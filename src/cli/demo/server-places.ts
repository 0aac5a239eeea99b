/**
 * Where the servers of the demo run. A killed server leaves its address free, while its key stays for up to 10 s: if a server
 * of another demo took that address, this one's client would call it. So the tutorial's ports belong to one demo at a time,
 * all of them or none.
 */
import { holdPort, isFree } from "./ports.js";
import type { Place } from "./servers.js";

/** The three servers' places, and the fourth's. */
export type FourPlaces = readonly [Place, Place, Place, Place];

export interface HeldPlaces extends AsyncDisposable {
  readonly places: FourPlaces;
  /** False when one of the usual ports was taken, and the servers choose others. */
  readonly usual: boolean;
}

/** Whoever listens here may take the ports that follow. */
const GUARD_PORT = 50_050;

export async function holdPlaces(usual: FourPlaces): Promise<HeldPlaces> {
  const guard = await holdPort(GUARD_PORT);
  const release = () => guard[Symbol.asyncDispose]();
  try {
    const free = await Promise.all(usual.map(({ host, port }) => isFree(host, port)));
    return guard.held && free.every(Boolean)
      ? { places: usual, usual: true, [Symbol.asyncDispose]: release }
      : { places: onAnyPort(usual), usual: false, [Symbol.asyncDispose]: release };
  } catch (error) {
    await release();
    throw error;
  }
}

function onAnyPort([first, second, third, fourth]: FourPlaces): FourPlaces {
  const anyPort = ({ host }: Place) => ({ host, port: 0 });
  return [anyPort(first), anyPort(second), anyPort(third), anyPort(fourth)];
}
