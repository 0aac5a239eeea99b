/** The checkout, as seen from a compiled bench in dist/bench/support. */
export const root = new URL("../../../", import.meta.url);
