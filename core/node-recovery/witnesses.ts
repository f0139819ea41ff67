import * as z from 'zod';
import type { MachineObservation } from '../ports/machines';
import type { ManagedObservation } from '../ports/managed-databases';

/** Null is no vote. */
export type Verdict = 'failed' | 'alive' | null;

/** One voice about a node. Two witnesses never share a name: who speaks twice is counted once. */
export interface Witness {
  /** As it stands in reasons: `agent node-2`, `machine API`. */
  readonly name: string;
  /** `alive` is said only by whoever got an answer over SQL. */
  readonly verdict: Verdict;
  readonly detail: string;
}

/** `CLUSTER#c / OPINION#by#about`: what one node's agent last saw of another node. */
export const opinionSchema = z.strictObject({
  by: z.string(),
  about: z.string(),
  verdict: z.enum(['failed', 'alive']).nullable(),
  detail: z.string(),
  atMs: z.number(),
});
export type Opinion = z.infer<typeof opinionSchema>;

/** An agent that has not written for this long may be dead itself: it has no vote. */
export const opinionHoldsMs = 10_000;

/** The sort key of an opinion. */
export function opinionKey(by: string, about: string): string {
  return `OPINION#${by}#${about}`;
}

/**
 * The agents that speak about a node: those of other sites, because what cuts off a site silences its agents and its
 * nodes together.
 *
 * An agent writes when its opinion changes and every few seconds. So an `alive` that is older than somebody's `failed`
 * was formed before anything happened and says nothing about what happened since: it is no vote.
 */
export function agentWitnesses(
  opinions: readonly Opinion[],
  about: { readonly nodeId: string; readonly site: string },
  siteOf: ReadonlyMap<string, string>,
  nowMs: number,
): readonly Witness[] {
  const heard = opinions.filter((opinion) => opinion.about === about.nodeId && opinion.by !== about.nodeId);
  const fresh = heard.filter((opinion) => nowMs - opinion.atMs <= opinionHoldsMs);
  const failedAtMs = Math.max(
    ...fresh.filter((opinion) => opinion.verdict === 'failed').map((opinion) => opinion.atMs),
    Number.NEGATIVE_INFINITY,
  );
  return heard
    .filter((opinion) => siteOf.get(opinion.by) !== undefined && siteOf.get(opinion.by) !== about.site)
    .map((opinion) => {
      const name = `agent ${opinion.by}`;
      const ageSeconds = Math.round((nowMs - opinion.atMs) / 1000);
      if (!fresh.includes(opinion)) {
        return { name, verdict: null, detail: `has not been heard for ${ageSeconds} s` };
      }
      if (opinion.verdict === 'alive' && opinion.atMs < failedAtMs) {
        return { name, verdict: null, detail: `saw it answer ${ageSeconds} s ago, before others called it failed` };
      }
      return { name, verdict: opinion.verdict, detail: opinion.detail };
    });
}

/**
 * What the machine API says about a node. A machine that is gone, going, or fails its checks speaks for a failure; one
 * that runs and is healthy has no vote, because a healthy machine may well carry a dead database.
 */
export function machineWitness(seen: MachineObservation | null): Witness {
  const name = 'machine API';
  if (seen === null) {
    return { name, verdict: 'failed', detail: 'knows no such machine' };
  }
  if (seen.state === 'stopped' || seen.state === 'stopping' || seen.state === 'terminated') {
    return { name, verdict: 'failed', detail: `machine ${seen.machineId} is ${seen.state}` };
  }
  if (seen.healthy === false) {
    return { name, verdict: 'failed', detail: `machine ${seen.machineId} fails its health checks` };
  }
  const health = seen.healthy === null ? 'has no health report yet' : 'passes its health checks';
  return { name, verdict: null, detail: `machine ${seen.machineId} is ${seen.state} and ${health}` };
}

/** The same for a managed instance. `available` has no vote: it is the service's view, not an answer. */
export function managedWitness(seen: ManagedObservation | null): Witness {
  const name = 'machine API';
  if (seen === null) {
    return { name, verdict: 'failed', detail: 'knows no such instance' };
  }
  const gone = ['stopped', 'stopping', 'failed', 'deleting'].includes(seen.state);
  return {
    name,
    verdict: gone ? 'failed' : null,
    detail: `instance ${seen.instanceIdentifier} is ${seen.state}`,
  };
}

/** Names in a sentence: `a`, `a and b`, `a, b and c`. */
export function inWords(names: readonly string[]): string {
  const last = names.at(-1) ?? 'nobody';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`;
}

/** `calls` for one, `call` for several. */
export function callFailed(witnesses: readonly Witness[], nodeId: string): string {
  return `${inWords(witnesses.map((witness) => witness.name))} ${witnesses.length === 1 ? 'calls' : 'call'} ${nodeId} failed`;
}
