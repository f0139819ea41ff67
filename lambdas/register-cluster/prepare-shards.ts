import * as z from 'zod';
import { databases, settings, stepPorts } from '../../adapters/ports';
import { nodeAddress, nodesOf } from '../../core/registration/compare-registered';
import { plannedShardSchema } from '../../core/registration/planned-shard';
import { prepareReplicated, type PrepareReplicatedPorts } from '../../core/registration/prepare-replicated';
import { prepareShard, type PreparePorts } from '../../core/registration/prepare-shard';
import type { Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly settings: Settings;
  readonly databases: PreparePorts['databases'] & PrepareReplicatedPorts['databases'];
}

const inputSchema = z.strictObject({ cluster: z.string(), shards: z.array(plannedShardSchema) });

/** Left for the range that was begun, and the answer. */
const reserveMs = 60_000;

/**
 * Makes the two copies of some shards primaries and followers, one shard after the other. Where every node holds all rows,
 * their primary gets its write check, and its standbys are left as they are.
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'prepare-shards', input: inputSchema, effect: 'changes' },
    async ({ cluster, shards }, context) => {
      const clusterSettings = await ports.settings.cluster(cluster);
      const { rowsPerChunk, bytesPerChunk } = clusterSettings.backup;
      const mayGoOn = (): boolean => context.remainingMs() > reserveMs;
      let rows = 0;
      for (const shard of shards) {
        const primary = nodeAddress(clusterSettings, shard.primary);
        if (shard.follower === null) {
          const others = nodesOf(clusterSettings).filter(({ id }) => id !== shard.primary);
          const standbys = others.map(({ id }) => nodeAddress(clusterSettings, id));
          await prepareReplicated(ports, { shard, primary, standbys });
          continue;
        }
        const follower = nodeAddress(clusterSettings, shard.follower);
        rows += await prepareShard(ports, { shard, primary, follower }, { rowsPerChunk, bytesPerChunk, mayGoOn });
      }
      return { shards: shards.map((shard) => shard.id), rows };
    },
  );

export const handler = makeStep({ ...stepPorts(), settings: settings(), databases: databases() });
