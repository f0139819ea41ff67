/** What a rehearsal can leave out, to show what it is there for. */
export const ablations = ['passes', 'node-filter'] as const;
export type Ablation = (typeof ablations)[number];

/**
 * The parts that are left out, from the environment of the local cloud. Nothing that is deployed sets it.
 *
 * @param setting such as `passes,node-filter`; undefined: nothing is left out
 */
export function ablationsOf(setting: string | undefined): readonly Ablation[] {
  const named = (setting ?? '').split(',');
  return ablations.filter((ablation) => named.includes(ablation));
}
