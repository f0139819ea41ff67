import type { Check, Evidence } from '../../../core/evidence/evidence';
import type { Outcome } from '../../../core/outcome/outcome';
import { check } from './aftermath';
import type { NodeFault } from './fault';

/** What came of a rehearsal, as far as a fault has something to say about it. */
interface Ended {
  readonly outcome: Outcome;
  readonly reason: string;
  /** The longest time in which a shard acknowledged no write; null: one never did again. */
  readonly gapMs: number | null;
  /** Of the evidence. */
  readonly figures: Evidence['figures'];
}

/** Whether it ended as the fault has to end. */
export function faultChecks(fault: NodeFault, { outcome, reason, gapMs, figures }: Ended): readonly Check[] {
  const { expectedOutcome, expectedReason, longestGapMs, expectedFigures = {} } = fault;
  const said: Check[] =
    expectedReason === undefined
      ? []
      : [{ name: 'the reason', ok: expectedReason.test(reason), expected: String(expectedReason), got: reason }];
  const gap: Check[] =
    longestGapMs === undefined
      ? []
      : [
          {
            name: 'longest time without an acknowledged write of a shard',
            ok: gapMs !== null && gapMs <= longestGapMs,
            expected: `at most ${longestGapMs} ms`,
            got: gapMs === null ? 'a shard never acknowledged' : `${Math.round(gapMs)} ms`,
          },
        ];
  const noted = Object.entries(expectedFigures).map(([name, expected]) =>
    check(`evidence: ${name}`, expected, figures.find((figure) => figure.name === name)?.value ?? 'not there'),
  );
  return [check('outcome', expectedOutcome, outcome), ...said, ...gap, ...noted];
}
