import type { RowRange } from '../cluster/manifest';
import {
  compareRange,
  judgeRanges,
  type ComparedRange,
  type ComparedSides,
  type ComparePorts,
  type JudgedRange,
} from './compare-range';
import type { Comparison } from './unequal';

/** Rows judged together, and ranges compared before they are: what a call that is cut off has to do again. */
const suspectsAtOnce = 512;
const rangesAtOnce = 64;

/** What a comparison is made of, and who is told of each batch before it counts. */
export interface ComparisonOrder {
  readonly sides: ComparedSides;
  readonly ranges: readonly RowRange[];
  /** What earlier calls came to; null in the first. */
  readonly soFar: Comparison | null;
  readonly mayGoOn: () => boolean;
  /** @param first the number of the batch's first range */
  readonly note: (first: number, batch: readonly JudgedRange[]) => Promise<void>;
}

/** Compares a shard range by range, from where the call before it stopped, until all are compared or the time is out. */
export async function compareRanges(ports: ComparePorts, order: ComparisonOrder): Promise<Comparison> {
  const { sides, ranges, mayGoOn } = order;
  let seen = order.soFar ?? nothingSeen(sides.shard);
  while (seen.next !== null) {
    const batch = await compareBatch(ports, sides, ranges.slice(seen.next), mayGoOn);
    if (batch === null) {
      return seen;
    }
    await order.note(seen.next, batch);
    seen = withBatch(seen, batch, ranges.length);
  }
  return seen;
}

/**
 * Compares ranges until enough rows differ to be judged together: each judgement waits, so the fewer the better.
 *
 * @returns null when there was no time for it
 */
async function compareBatch(
  ports: ComparePorts,
  sides: ComparedSides,
  ranges: readonly RowRange[],
  mayGoOn: () => boolean,
): Promise<readonly JudgedRange[] | null> {
  const compared: ComparedRange[] = [];
  let suspects = 0;
  for (const range of ranges) {
    if (!mayGoOn() || suspects >= suspectsAtOnce || compared.length >= rangesAtOnce) {
      break;
    }
    const found = await compareRange(ports, sides, range, mayGoOn);
    if (found === null) {
      break;
    }
    compared.push(found);
    suspects += found.suspects.length;
  }
  return compared.length === 0 && ranges.length > 0 ? null : judgeRanges(ports, sides, compared, mayGoOn);
}

function withBatch(seen: Comparison, batch: readonly JudgedRange[], ranges: number): Comparison {
  const sum = (of: (judged: JudgedRange) => number): number => batch.reduce((total, judged) => total + of(judged), 0);
  const next = (seen.next ?? 0) + batch.length;
  return {
    shard: seen.shard,
    next: next < ranges ? next : null,
    rows: seen.rows + sum((judged) => judged.rows),
    unequal: seen.unequal + sum((judged) => (judged.unequal.length > 0 ? 1 : 0)),
    differing: seen.differing + sum((judged) => judged.unequal.length),
    unproved: seen.unproved + sum((judged) => judged.unproved),
  };
}

function nothingSeen(shard: string): Comparison {
  return { shard, next: 0, rows: 0, unequal: 0, differing: 0, unproved: 0 };
}
