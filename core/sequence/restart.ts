/** A sequence as it stands, and the values that its columns hold. */
export interface SequenceState {
  readonly start: bigint;
  /** Not 0; negative for a descending sequence. */
  readonly increment: bigint;
  readonly minimum: bigint;
  readonly maximum: bigint;
  readonly lastValue: bigint;
  /** Whether `lastValue` has been handed out. */
  readonly isCalled: boolean;
  /** The largest value in the columns that it fills, the smallest for a descending one; null when there is none. */
  readonly extreme: bigint | null;
}

/**
 * The value that a sequence must be set to (as handed out) so that it never returns a value that a column holds; null
 * when it is already past. Stays on the sequence's own grid (`start` plus a multiple of `increment`), because two
 * sequences that share a column, one for odd and one for even values, must go on sharing it. Never goes back.
 */
export function sequenceRestart(sequence: SequenceState): bigint | null {
  const { start, increment, minimum, maximum, lastValue, isCalled, extreme } = sequence;
  const direction = increment > 0n ? 1n : -1n;
  const reaches = (value: bigint): boolean => (value - start) * direction >= 0n;
  if (extreme === null || !reaches(extreme)) {
    return null;
  }
  const step = increment * direction;
  const steps = ((extreme - start) * direction + step - 1n) / step;
  const wanted = start + steps * increment;
  const target = wanted > maximum ? maximum : wanted < minimum ? minimum : wanted;
  const ahead = (target - lastValue) * direction;
  return ahead > 0n || (ahead === 0n && !isCalled) ? target : null;
}
