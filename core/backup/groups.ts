/** At most so many iterations of a map: its events have to fit in one execution's history. */
const maxGroups = 40;

/**
 * Deals things out into at most 40 groups of about the same size, in order. Neighbours go to different groups, because
 * they often lie on one node.
 */
export function intoGroups<T>(things: readonly T[]): readonly (readonly T[])[] {
  const count = Math.min(maxGroups, things.length);
  return Array.from({ length: count }, (_, group) => things.filter((_thing, index) => index % count === group));
}
