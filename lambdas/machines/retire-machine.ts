import * as z from 'zod';
import { dns, machines, managedDatabases, registry, stepPorts } from '../../adapters/ports';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { NodeItem } from '../../core/cluster/items';
import { nameSchema } from '../../core/cluster/settings';
import { RejoinError } from '../../core/errors';
import { leaseSchema } from '../../core/lease/lease';
import type { Machines } from '../../core/ports/machines';
import type { ManagedDatabases } from '../../core/ports/managed-databases';
import type { Registry } from '../../core/ports/registry';
import type { Dns } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly machines: Pick<Machines, 'terminate'>;
  readonly managedDatabases: Pick<ManagedDatabases, 'remove'>;
  readonly dns: Pick<Dns, 'read' | 'change'>;
}

const inputSchema = z.strictObject({
  cluster: nameSchema,
  nodeId: nameSchema,
  /** The node that took its place. */
  successor: nameSchema,
  lease: leaseSchema,
});

/**
 * Ends a fenced machine with its volumes, takes its name out of DNS, and retires its node. Its item stays: it keeps the
 * name from being used again, and counts for rule 15.
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
      await (node.machineKind === 'ec2'
        ? ports.machines.terminate(node.machineId)
        : ports.managedDatabases.remove(node.machineId));
      await forget(ports.dns, node.host);
      await become(clusterRegistry, cluster, node, { ...node, state: 'retired', builder: null });
      await become(clusterRegistry, cluster, next, { ...next, builder: null });
      return { machineId: node.machineId, reason: `${nodeId} is retired; ${successor} is in its place` };
    },
  );

async function forget(dns: Ports['dns'], host: string): Promise<void> {
  for (const type of ['A', 'CNAME'] as const) {
    const record = await dns.read(host, type);
    if (record !== null) {
      await dns.change([{ action: 'delete', record }]);
    }
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
  machines: machines(),
  managedDatabases: managedDatabases(),
  dns: dns(),
});
