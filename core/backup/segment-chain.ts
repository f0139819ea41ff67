import type { LogPosition } from '../cluster/position';
import { comparePositions, positionBytes, positionOf } from '../cluster/position';
import { RejoinError } from '../errors';

/** A segment as its key tells it. */
export interface SegmentSpan {
  readonly key: string;
  readonly from: LogPosition;
  readonly to: LogPosition;
}

/** The segments to replay, in order, and where they end. */
export interface SegmentChain {
  readonly segments: readonly SegmentSpan[];
  /** Where replaying them leads to; the begin when there are none. */
  readonly end: LogPosition;
  /** The first segment that can't be reached, or null when all can. */
  readonly beyondGap: SegmentSpan | null;
}

const pattern = /\/([0-9A-F]{8})_([0-9A-F]{8})-([0-9A-F]{8})_([0-9A-F]{8})\.[a-z0-9]+$/;

/** What a segment's key says; null when the key is not a segment's. */
export function spanOf(key: string): SegmentSpan | null {
  const match = pattern.exec(key);
  if (match === null) {
    return null;
  }
  const [, fromHigh = '', fromLow = '', toHigh = '', toLow = ''] = match;
  return { key, from: positionIn(fromHigh, fromLow), to: positionIn(toHigh, toLow) };
}

/**
 * Chooses, of a lineage's segments, those that lead from a position as far as they can without a gap.
 *
 * A capture that died between storing a segment and advancing its slot leaves an object, and its repetition may read
 * more, or less, from the same position. So objects may overlap. All of them are right: what a slot gives between two
 * positions never changes, and applying passes over what was applied before. It is enough that the chosen spans cover the
 * log, each beginning at or before the end of the one before it. Taking the one that reaches furthest, each time, gets as
 * far as any choice, with the fewest objects.
 */
export function chainFrom(spans: readonly SegmentSpan[], from: LogPosition): SegmentChain {
  const waiting = spans
    .filter((span) => comparePositions(span.to, from) > 0)
    .sort((left, right) => comparePositions(left.from, right.from));
  const segments: SegmentSpan[] = [];
  let end = from;
  let next = 0;
  for (;;) {
    let best: SegmentSpan | null = null;
    for (let span = waiting[next]; span !== undefined && comparePositions(span.from, end) <= 0; span = waiting[next]) {
      best = best === null || comparePositions(span.to, best.to) > 0 ? span : best;
      next += 1;
    }
    if (best === null || comparePositions(best.to, end) <= 0) {
      return { segments, end, beyondGap: waiting[next] ?? null };
    }
    segments.push(best);
    end = best.to;
  }
}

/** The chain from one position to another. @throws ManifestMismatch, naming the gap, when segments are missing */
export function requireChain(
  spans: readonly SegmentSpan[],
  from: LogPosition,
  to: LogPosition,
  what: string,
): SegmentChain {
  const chain = chainFrom(spans, from);
  if (comparePositions(chain.end, to) < 0) {
    const next = chain.beyondGap === null ? 'none follows' : `the next one is '${chain.beyondGap.key}'`;
    throw new RejoinError(
      'ManifestMismatch',
      `the change segments of ${what} have a gap: they lead from ${from} to ${chain.end}, ${to} was to be reached, and ${next}`,
    );
  }
  return chain;
}

function positionIn(high: string, low: string): LogPosition {
  return positionOf(positionBytes(`${high}/${low}`));
}
