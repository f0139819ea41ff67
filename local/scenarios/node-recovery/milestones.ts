import type { Evidence } from '../../../core/evidence/evidence';
import type { JsonObject } from '../../../core/json';
import type { StateVisit } from '../../../core/ports/surroundings';
import { blackoutMs, type Answer } from '../../load/figures';
import type { BlackoutParts, RehearsalReport } from '../report';

/** What agents wrote into their logs about one promotion, times in milliseconds since the Unix epoch. */
interface PromotionNote {
  readonly shard: string;
  readonly suspectedAtMs: number | null;
  readonly decidedAtMs: number;
  readonly fencedAtMs: number;
  readonly openedAtMs: number;
}

/** The promotions that agents announced after the kill. */
export function promotionsIn(log: readonly JsonObject[], killedAtMs: number): readonly PromotionNote[] {
  return log
    .filter((entry) => entry['what'] === 'announced' && Number(entry['atMs']) >= killedAtMs)
    .flatMap((entry) =>
      (entry['promoted'] as unknown as readonly Omit<PromotionNote, 'suspectedAtMs'>[]).map((times) => ({
        ...times,
        suspectedAtMs: entry['suspectedAtMs'] as number | null,
      })),
    );
}

/** The parts of the slowest promotion: each is the time from the end of the one before it. */
export function partsOfBlackout(
  promotions: readonly PromotionNote[],
  answers: readonly Answer[],
  killedAtMs: number,
): BlackoutParts {
  const slowest = [...promotions].sort((left, right) => right.openedAtMs - left.openedAtMs)[0];
  if (slowest === undefined) {
    return { detectMs: null, decideMs: null, fenceMs: null, promoteMs: null, rerouteMs: null };
  }
  const shard = Number(slowest.shard.slice(-4));
  const first = answers.find((answer) => answer.write && answer.shard === shard && answer.atMs >= slowest.openedAtMs);
  const suspectedAtMs = slowest.suspectedAtMs ?? slowest.decidedAtMs;
  return {
    detectMs: Math.max(0, suspectedAtMs - killedAtMs),
    decideMs: slowest.decidedAtMs - suspectedAtMs,
    fenceMs: slowest.fencedAtMs - slowest.decidedAtMs,
    promoteMs: slowest.openedAtMs - slowest.fencedAtMs,
    rerouteMs: first === undefined ? null : first.atMs - slowest.openedAtMs,
  };
}

export interface TimingFacts {
  readonly killedAtMs: number;
  readonly promotions: readonly PromotionNote[];
  readonly answers: readonly Answer[];
  /** Numbers of the shards whose primary was killed. */
  readonly lostPrimaries: readonly number[];
  readonly endedAtMs: number;
  readonly visits: readonly StateVisit[];
}

/** The milestones, all from the kill. */
export function timingsOf(facts: TimingFacts): RehearsalReport['timingsMs'] {
  const { killedAtMs, promotions, answers, lostPrimaries, endedAtMs, visits } = facts;
  const since = (atMs: number | null | undefined) => (atMs === null || atMs === undefined ? null : atMs - killedAtMs);
  const largest = (values: readonly number[]) => (values.length === 0 ? null : Math.max(...values));
  const restored = lostPrimaries.map((shard) => firstWriteAfterGap(answers, shard, killedAtMs, endedAtMs));
  const left = (state: string) => visits.findLast((visit) => visit.state === state)?.exitedAtMs ?? null;
  return {
    // Where agents promote nobody, the workflow is the first that is known to have seen it.
    detected: since(
      largest(promotions.flatMap((promotion) => promotion.suspectedAtMs ?? [])) ?? visits[0]?.enteredAtMs,
    ),
    fenced: since(
      largest(promotions.map((promotion) => promotion.fencedAtMs)) ?? left('Prove that the failed machine is stopped'),
    ),
    trafficRestored: restored.includes(null) ? null : since(largest(restored.filter((atMs) => atMs !== null))),
    // The last is the only one of a node that holds all rows.
    inSync: since(left('Sum up the rows') ?? left('Finish the tables') ?? left('Compare all rows with the primary')),
    joined: since(left('Hand over to native replication') ?? left('Join the cluster')),
  };
}

/** When a shard acknowledged again: the end of its longest gap after the kill. */
function firstWriteAfterGap(
  answers: readonly Answer[],
  shard: number,
  killedAtMs: number,
  endedAtMs: number,
): number | null {
  const gapMs = blackoutMs(answers, [shard], killedAtMs, endedAtMs);
  if (gapMs === null) {
    return null;
  }
  const times = answers
    .filter((answer) => answer.write && answer.shard === shard)
    .map((answer) => answer.atMs)
    .sort((left, right) => left - right);
  const end = times.find((atMs, index) => atMs > killedAtMs && atMs - (times[index - 1] ?? atMs) === gapMs);
  return end ?? times.find((atMs) => atMs > killedAtMs) ?? null;
}

/** What the evidence says of the rows. */
export function rowsRestored(evidence: Evidence | null): number | null {
  return evidence?.figures.find((figure) => figure.name === 'rows restored')?.value ?? null;
}
