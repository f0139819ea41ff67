import type { DatabaseProbe } from '../ports/database-engine';
import type { Verdict } from './witnesses';

/** An agent's record of one peer. */
export interface Suspicion {
  readonly verdict: Verdict;
  /** Probes in a row without an answer to SQL. */
  readonly failures: number;
  /** How many of those were refused. */
  readonly refused: number;
  /** When the first of those was; null when the last probe was answered. */
  readonly silentSinceMs: number | null;
  readonly detail: string;
}

/** A peer that was never probed. */
export const unprobed: Suspicion = {
  verdict: null,
  failures: 0,
  refused: 0,
  silentSinceMs: null,
  detail: 'not probed yet',
};

const refusedNeeded = 2;
const failuresNeeded = 3;

/**
 * What an agent thinks of a peer after one more probe: refused twice, or without an answer thrice, in a row is failed
 * (spec: node-recovery, rule 4). An answer to SQL is alive at once.
 */
export function afterProbe(before: Suspicion, probe: DatabaseProbe, nowMs: number): Suspicion {
  if (probe.verdict === 'answers') {
    return { verdict: 'alive', failures: 0, refused: 0, silentSinceMs: null, detail: probe.detail };
  }
  const failures = before.failures + 1;
  const refused = before.refused + (probe.verdict === 'refused' ? 1 : 0);
  const failed = refused >= refusedNeeded || failures >= failuresNeeded;
  return {
    verdict: failed ? 'failed' : null,
    failures,
    refused,
    silentSinceMs: before.silentSinceMs ?? nowMs,
    detail: `${probe.verdict} ${failures === 1 ? 'once' : `${failures} times`}: ${probe.detail}`,
  };
}
