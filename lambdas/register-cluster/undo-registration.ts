import * as z from 'zod';
import { databases, settings, stepPorts } from '../../adapters/ports';
import type { ClusterSettings } from '../../core/cluster/settings';
import { followName } from '../../core/node-recovery/ownership';
import { nodeAddress } from '../../core/registration/compare-registered';
import { plannedShardSchema, type PlannedShard } from '../../core/registration/planned-shard';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly settings: Settings;
  readonly databases: Pick<DatabaseEngine, 'stopFollowing' | 'dropSlot' | 'shards' | 'openShard'>;
}

const inputSchema = z.strictObject({ cluster: z.string(), groups: z.array(z.array(plannedShardSchema)) });

/** Drops the replication that the registration made, and lets each shard's primary accept writes again. */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'undo-registration', input: inputSchema, effect: 'changes' },
    async ({ cluster, groups }) => {
      const clusterSettings = await ports.settings.cluster(cluster);
      for (const shard of groups.flat()) {
        await undoShard(ports, clusterSettings, shard);
      }
      return { shards: groups.flat().length };
    },
  );

async function undoShard({ databases }: Ports, cluster: ClusterSettings, shard: PlannedShard): Promise<void> {
  const { id, epoch, follower, served } = shard;
  if (follower === null) {
    // The standbys were left as they are, and the primary open.
    return;
  }
  const primary = nodeAddress(cluster, shard.primary);
  const name = followName(shard);
  if (!served) {
    await databases.stopFollowing(nodeAddress(cluster, follower), name);
    await databases.dropSlot(primary, name);
  }
  // One that the registration never came to was never closed.
  const held = await databases.shards(primary);
  if (held.some((each) => each.shard === id)) {
    await databases.openShard(primary, { shard: id, epoch });
  }
}

export const handler = makeStep({ ...stepPorts(), settings: settings(), databases: databases() });
