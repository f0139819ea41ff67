import type { LogPosition } from '../cluster/position';
import { bytesBetween, comparePositions } from '../cluster/position';

export interface Candidate {
  readonly nodeId: string;
  readonly site: string;
  /** How far it received the old primary's log; null when it is not known. */
  readonly received: LogPosition | null;
}

export interface CandidateFacts {
  /** What is promoted: a shard's id, or the cluster's name. */
  readonly subject: string;
  readonly oldPrimary: string;
  /** The end of the old primary's log as it last reported it, once a second; null when it never did. */
  readonly lastReported: LogPosition | null;
  readonly candidates: readonly Candidate[];
  /** The site of most clients; null when it is not known. */
  readonly clientSite: string | null;
  readonly maxLossBytes: number;
}

export type CandidateChoice =
  | { readonly action: 'promote'; readonly nodeId: string; readonly lossBytes: number; readonly reason: string }
  | { readonly action: 'refuse'; readonly reason: string };

/**
 * Chooses whom to promote where commits did not wait for a follower (rule 6), after the machine fence: the highest
 * received position, then the site of most clients, then the lowest id. What may be lost is measured, never guessed.
 */
export function chooseCandidate(facts: CandidateFacts): CandidateChoice {
  const { subject, lastReported } = facts;
  const known = facts.candidates.filter(
    (candidate): candidate is Candidate & { received: LogPosition } => candidate.received !== null,
  );
  const best = known.sort(
    (left, right) =>
      comparePositions(right.received, left.received) ||
      Number(right.site === facts.clientSite) - Number(left.site === facts.clientSite) ||
      (left.nodeId < right.nodeId ? -1 : 1),
  )[0];
  if (best === undefined) {
    return {
      action: 'refuse',
      reason: `no candidate for ${subject} knows how far it received ${facts.oldPrimary}'s log`,
    };
  }
  if (lastReported === null) {
    return {
      action: 'refuse',
      reason: `${facts.oldPrimary} never reported its position, so the loss of promoting ${best.nodeId} for ${subject} is unknown`,
    };
  }
  const lossBytes = Math.max(0, bytesBetween(best.received, lastReported));
  if (lossBytes > facts.maxLossBytes) {
    return {
      action: 'refuse',
      reason: `promoting ${best.nodeId} for ${subject} would lose up to ${lossBytes} bytes of log, and ${facts.maxLossBytes} are allowed`,
    };
  }
  return {
    action: 'promote',
    nodeId: best.nodeId,
    lossBytes,
    reason: `${best.nodeId} received the most of ${facts.oldPrimary}'s log; at most ${lossBytes} bytes are lost`,
  };
}
