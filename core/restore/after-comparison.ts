import type { Comparison } from './unequal';

export type AfterComparison =
  | { readonly action: 'in sync'; readonly reason: string; readonly rows: number }
  | { readonly action: 'repair'; readonly reason: string; readonly rows: number }
  | { readonly action: 'give up'; readonly reason: string; readonly rows: number };

/** Unequal rows are repaired so often (rule 12). */
const maxRepairs = 3;

/** Decides what follows a comparison. In sync means: no row differs, and none is unproved. */
export function decideAfterComparison(compared: readonly Comparison[], round: number): AfterComparison {
  const rows = sum(compared, (shard) => shard.rows);
  const differing = sum(compared, (shard) => shard.differing);
  if (differing === 0) {
    return { action: 'in sync', reason: `${rows} rows of ${compared.length} shards are equal on both sides`, rows };
  }
  const unproved = sum(compared, (shard) => shard.unproved);
  const named = compared.filter((shard) => shard.differing > 0).map((shard) => `${shard.shard}: ${shard.differing}`);
  const what = `${differing} of ${rows} rows are not equal (${named.join(', ')}), ${unproved} of them not proved different`;
  return round > maxRepairs
    ? { action: 'give up', reason: `${what}, after ${maxRepairs} repairs`, rows }
    : { action: 'repair', reason: what, rows };
}

function sum(compared: readonly Comparison[], of: (shard: Comparison) => number): number {
  return compared.reduce((total, shard) => total + of(shard), 0);
}
