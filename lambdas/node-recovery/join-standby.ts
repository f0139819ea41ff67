import * as z from 'zod';
import { databases, registry, settings, stepPorts } from '../../adapters/ports';
import { ClusterRegistry, databaseOf } from '../../core/cluster/cluster-registry';
import { nameSchema } from '../../core/cluster/settings';
import { leaseSchema } from '../../core/lease/lease';
import { awaitReplay } from '../../core/node-recovery/await-replay';
import { shardWithStandby } from '../../core/node-recovery/ownership';
import { shardBehind } from '../../core/node-recovery/replicated-shard';
import { serveNode } from '../../core/node-recovery/serve-node';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { replacementSchema, restoreSlotSchema } from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly databases: Pick<DatabaseEngine, 'standbyState' | 'writeMarker'>;
}

const inputSchema = z.strictObject({
  cluster: nameSchema,
  replacement: replacementSchema,
  /** How the replacement stands behind its primary. */
  slot: restoreSlotSchema,
  lease: leaseSchema,
});

const confirmTimeoutMs = 20_000;

export type Joined = Readonly<{ shard: string; reason: string }>;

/**
 * Makes a standby a member, once it has replayed a marker that was written on the primary under the lease.
 *
 * @throws ConditionFailed when another node is the primary by now; NotProved when the marker does not arrive in time
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'join-standby', input: inputSchema, effect: 'changes', lease: (input) => input.lease },
    async ({ cluster: name, replacement, slot }): Promise<Joined> => {
      const clusterRegistry = new ClusterRegistry(ports.registry);
      const [cluster, shard] = await Promise.all([
        ports.settings.cluster(name),
        shardBehind(clusterRegistry, name, { standby: replacement.nodeId, primary: slot.primary }),
      ]);
      const primary = databaseOf(cluster, await clusterRegistry.node(name, shard.primary));
      const standby = databaseOf(cluster, { ...replacement, id: replacement.nodeId });
      const marker = await ports.databases.writeMarker(primary, shard.id);
      await awaitReplay(ports, standby, marker, confirmTimeoutMs);
      await serveNode(clusterRegistry, name, replacement.nodeId);
      if (shard.state !== 'in sync') {
        await clusterRegistry.changeShard(name, shard, shardWithStandby(shard));
      }
      return { shard: shard.id, reason: `${standby.nodeId} replayed ${marker} of ${primary.nodeId}'s log` };
    },
  );

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  databases: databases(),
});
