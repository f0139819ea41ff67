import * as z from 'zod';
import { registry, stepPorts } from '../../adapters/ports';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import { nameSchema } from '../../core/cluster/settings';
import { planEvacuation, planRebalance, type PrimaryMove } from '../../core/node-recovery/plan-rebalance';
import type { Registry } from '../../core/ports/registry';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
}

const inputSchema = z.strictObject({
  cluster: nameSchema,
  /** The node that is to have no primaries; null: all nodes as many as each other. */
  away: nameSchema.nullable(),
});

export type RebalancePlan = Readonly<{ moves: PrimaryMove[]; reason: string }>;

/** Plans which primaries move: to even out the nodes, or away from one of them. Changes nothing. */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'plan-rebalance', input: inputSchema, effect: 'reads' },
    async ({ cluster, away }): Promise<RebalancePlan> => {
      const clusterRegistry = new ClusterRegistry(ports.registry);
      const [shards, nodes] = await Promise.all([clusterRegistry.shards(cluster), clusterRegistry.nodes(cluster)]);
      const serving = nodes.filter((node) => node.state === 'serving').map((node) => node.id);
      const moves = away === null ? planRebalance(shards, serving) : planEvacuation(shards, away);
      const loads = serving.map((id) => `${id} ${shards.filter((shard) => shard.primary === id).length}`).join(', ');
      return { moves: [...moves], reason: `primaries: ${loads}; ${moves.length} of them move` };
    },
  );

export const handler = makeStep({ ...stepPorts(), registry: registry() });
