import * as z from 'zod';
import type { DatabaseProbe } from '../ports/database-engine';
import type { Witness } from './witnesses';
import { callFailed } from './witnesses';

/** What everyone says of a node, and the step's own question to its server. */
export interface NodeSeen {
  readonly nodeId: string;
  /** Null where nobody called: a planned replacement. */
  readonly trigger: Witness | null;
  /** Agents of other sites, and the machine API. */
  readonly observed: readonly Witness[];
  readonly probe: DatabaseProbe;
  readonly witnessesNeeded: number;
}

/** Whether a node has failed. `unknown`: somebody says so, but too few. */
export const judgementSchema = z.strictObject({
  verdict: z.enum(['failed', 'alive', 'unknown']),
  reason: z.string(),
  witnesses: z.array(
    z.strictObject({ name: z.string(), verdict: z.enum(['failed', 'alive']).nullable(), detail: z.string() }),
  ),
});
export type NodeJudgement = z.infer<typeof judgementSchema>;

/**
 * Judges a node by its witnesses (rule 4). An answer over SQL settles it: whoever serves clients is alive. Otherwise as
 * many witnesses as the policy asks for must say `failed`, each voice counted once.
 */
export function judgeNode(seen: NodeSeen): NodeJudgement {
  const { nodeId, probe } = seen;
  const witnesses = voices(seen);
  if (probe.verdict === 'answers') {
    return { verdict: 'alive', reason: `${nodeId} answers SQL in ${Math.round(probe.tookMs)} ms`, witnesses };
  }
  const alive = witnesses.find((witness) => witness.verdict === 'alive');
  if (alive !== undefined) {
    return { verdict: 'alive', reason: `${nodeId} answers SQL of ${alive.name} (${alive.detail})`, witnesses };
  }
  const against = witnesses.filter((witness) => witness.verdict === 'failed');
  if (against.length === 0) {
    return { verdict: 'unknown', reason: `${nodeId} does not answer SQL, but no witness calls it failed`, witnesses };
  }
  if (against.length < seen.witnessesNeeded) {
    return { verdict: 'unknown', reason: `only ${callFailed(against, nodeId)}`, witnesses };
  }
  return {
    verdict: 'failed',
    reason: `${callFailed(against, nodeId)}, and its SQL port ${probe.verdict === 'refused' ? 'refuses' : probe.verdict === 'timed out' ? 'does not answer' : 'fails'}`,
    witnesses,
  };
}

/**
 * Each voice once. Where the trigger's voice was asked again, its newer word counts: an agent's, unless it has not been
 * heard since, and the machine API's in any case.
 */
function voices({ trigger, observed }: NodeSeen): Witness[] {
  if (trigger === null) {
    return [...observed];
  }
  const again = observed.find((witness) => witness.name === trigger.name);
  const superseded = again !== undefined && (again.verdict !== null || again.name === 'machine API');
  return superseded ? [...observed] : [trigger, ...observed.filter((witness) => witness !== again)];
}
