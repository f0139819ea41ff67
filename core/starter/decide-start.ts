import type { NodeItem } from '../cluster/items';
import type { JsonObject } from '../json';
import { baseId } from '../node-recovery/replacement';
import { executionName } from './execution-name';
import type { Occasion } from './occasion';

/** One execution to be started, or why none is. */
export type StartDecision =
  | { readonly action: 'start'; readonly machine: string; readonly name: string; readonly input: JsonObject }
  | { readonly action: 'none'; readonly reason: string };

export interface StartFacts {
  readonly occasion: Occasion;
  /** The nodes of the clusters that the occasion may be about. */
  readonly nodes: readonly { readonly cluster: string; readonly node: NodeItem }[];
  readonly nowMs: number;
}

/**
 * Decides which execution an occasion starts. It names the execution by cluster, node, trigger and hour, so that a
 * repeated alarm finds its name taken. Whether the node is really replaced is for the workflow to decide.
 */
export function decideStart({ occasion, nodes, nowMs }: StartFacts): StartDecision {
  switch (occasion.kind) {
    case 'irrelevant':
      return { action: 'none', reason: occasion.reason };
    case 'schedule': {
      const { machine, cluster } = occasion;
      const name = executionName({ cluster, nodeId: null, trigger: 'schedule', atMs: nowMs, within: 'minute' });
      return { action: 'start', machine, name, input: { cluster } };
    }
    case 'manual': {
      const { cluster, nodeId, acceptLossSeconds, planned } = occasion;
      // A person who starts again with another answer must not wait for the next hour.
      const name = executionName({ cluster, nodeId, trigger: 'manual', atMs: nowMs, within: 'minute' });
      return recovery(name, { cluster, nodeId, trigger: 'manual', acceptLossSeconds, planned });
    }
    case 'promoted':
    case 'silent': {
      const { kind, cluster, nodeId, by } = occasion;
      // Two names: a silent node that was not replaced for want of a second witness may have its shards promoted next.
      const name = executionName({ cluster, nodeId, trigger: kind, atMs: nowMs, within: 'hour' });
      return recovery(name, { cluster, nodeId, trigger: `agent:${by}`, acceptLossSeconds: null, planned: false });
    }
    case 'alarm': {
      const found = nodes.filter(
        ({ cluster, node }) => cluster === occasion.cluster && baseId(node.id) === occasion.member,
      );
      return aboutNode(found, 'alarm', `the place of ${occasion.member} in cluster '${occasion.cluster}'`, nowMs);
    }
    case 'machine alarm': {
      const { nodeId, cluster: of } = occasion;
      const found = nodes.filter(({ cluster, node }) => cluster === of && node.id === nodeId);
      // The voice of the machine API, however it comes: with an alarm's name it would be a second witness.
      return aboutNode(found, 'machine', `the machine of ${nodeId} in cluster '${of}'`, nowMs);
    }
    case 'machine': {
      const found = nodes.filter(({ node }) => node.machineId === occasion.machineId);
      return aboutNode(found, 'machine', `machine ${occasion.machineId}`, nowMs);
    }
  }
}

function aboutNode(
  found: StartFacts['nodes'],
  trigger: 'alarm' | 'machine',
  about: string,
  nowMs: number,
): StartDecision {
  const member = found.find(({ node }) => node.state === 'serving' || node.state === 'silent');
  if (member === undefined) {
    const states = found.map(({ node }) => `${node.id} is ${node.state}`).join(', ') || 'no node is there';
    return { action: 'none', reason: `nobody serves at ${about}: ${states}` };
  }
  const { cluster, node } = member;
  const name = executionName({ cluster, nodeId: node.id, trigger, atMs: nowMs, within: 'hour' });
  return recovery(name, { cluster, nodeId: node.id, trigger, acceptLossSeconds: null, planned: false });
}

function recovery(name: string, input: JsonObject): StartDecision {
  return { action: 'start', machine: 'node-recovery', name, input };
}
