/** How long a registration tries, and waits before it tries again, for a lease and for its keys alike. */

/** One try of a grant or a claim; ample for three members, and what is repeated does no harm. */
export const TRY_MS = 3_000;
/** The first tries follow quickly, for an election is over in a second. */
export const FIRST_PAUSE_MS = 100;
/** The longest pause lets a cluster that came back breathe and is well within the TTL, so that what it kept is not lost. */
export const LONGEST_PAUSE_OF_TTL = 1 / 2;
/** To give a lease back on which nothing hangs: should this fail, it runs out by itself. */
export const RELEASE_WITHIN_MS = 2_000;
