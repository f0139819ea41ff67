import * as z from 'zod';
import {
  databases,
  dns,
  machines,
  managedDatabases,
  registry,
  settings,
  statusAlarms,
  stepPorts,
} from '../../adapters/ports';
import { ClusterRegistry, databaseOf } from '../../core/cluster/cluster-registry';
import type { NodeItem } from '../../core/cluster/items';
import { standbyName } from '../../core/cluster/names';
import { nameSchema } from '../../core/cluster/settings';
import { RejoinError } from '../../core/errors';
import { leaseSchema } from '../../core/lease/lease';
import { endNode, type EndingPorts } from '../../core/node-recovery/end-node';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts, EndingPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly databases: Pick<DatabaseEngine, 'forgetStandby'>;
}

const inputSchema = z.strictObject({
  cluster: nameSchema,
  nodeId: nameSchema,
  /** The node that took its place. */
  successor: nameSchema,
  lease: leaseSchema,
});

/**
 * Ends a fenced machine with its volumes, its status alarm and the log that is kept for it, takes its name out of DNS, and retires its node. Its item
 * stays: it keeps the name from being used again, and counts for rule 15. An alarm that a deployment made stays, too: it
 * is the deployment's, and an instance that is gone does not set it off.
 *
 * @throws ConditionFailed when the node still owns shards
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'retire-machine', input: inputSchema, effect: 'changes', lease: (input) => input.lease },
    async ({ cluster, nodeId, successor }) => {
      const clusterRegistry = new ClusterRegistry(ports.registry);
      const [node, next, shards] = await Promise.all([
        clusterRegistry.node(cluster, nodeId),
        clusterRegistry.node(cluster, successor),
        clusterRegistry.shards(cluster),
      ]);
      const owned = shards.filter((shard) => shard.primary === nodeId || shard.follower === nodeId);
      if (owned.length > 0) {
        throw new RejoinError(
          'ConditionFailed',
          `${nodeId} still owns ${owned.map((shard) => shard.id).join(', ')}; its machine is not ended`,
        );
      }
      const left = await endNode(ports, cluster, node);
      await forgetStandby(ports, clusterRegistry, { cluster, nodeId, primary: shards[0]?.primary });
      await become(clusterRegistry, cluster, node, { ...node, state: 'retired', builder: null });
      // Whoever owned no shard had none handed over, which is when a replacement becomes a member.
      const state = next.state === 'building' ? 'serving' : next.state;
      await become(clusterRegistry, cluster, next, { ...next, state, builder: null });
      return {
        machineId: node.machineId,
        reason: `${nodeId} is retired; ${successor} is in its place${left === null ? '' : `; left: ${left}`}`,
      };
    },
  );

/** In a replicated cluster, the log that the primary keeps for a node that never comes back. */
async function forgetStandby(
  ports: Ports,
  clusterRegistry: ClusterRegistry,
  about: { readonly cluster: string; readonly nodeId: string; readonly primary: string | undefined },
): Promise<void> {
  const cluster = await ports.settings.cluster(about.cluster);
  if (cluster.layout === 'replicated' && about.primary !== undefined) {
    const primary = await clusterRegistry.node(about.cluster, about.primary);
    await ports.databases.forgetStandby(databaseOf(cluster, primary), standbyName(about.nodeId));
  }
}

async function become(
  clusterRegistry: ClusterRegistry,
  cluster: string,
  before: NodeItem,
  after: NodeItem,
): Promise<void> {
  if (before.state !== after.state || before.builder !== after.builder) {
    await clusterRegistry.replace(cluster, { kind: 'NODE', value: before }, { kind: 'NODE', value: after });
  }
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  databases: databases(),
  machines: machines(),
  managedDatabases: managedDatabases(),
  statusAlarms: statusAlarms(),
  dns: dns(),
});
