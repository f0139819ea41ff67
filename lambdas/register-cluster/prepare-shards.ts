import * as z from 'zod';
import { databases, settings, stepPorts } from '../../adapters/ports';
import { nodeAddress } from '../../core/registration/compare-registered';
import { plannedShardSchema } from '../../core/registration/planned-shard';
import { prepareShard, type PreparePorts } from '../../core/registration/prepare-shard';
import type { Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts, PreparePorts {
  readonly settings: Settings;
}

const inputSchema = z.strictObject({ cluster: z.string(), shards: z.array(plannedShardSchema) });

/** Left for the range that was begun, and the answer. */
const reserveMs = 60_000;

/** Makes the two copies of some shards primaries and followers, one shard after the other. */
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
        const follower = nodeAddress(clusterSettings, shard.follower);
        rows += await prepareShard(ports, { shard, primary, follower }, { rowsPerChunk, bytesPerChunk, mayGoOn });
      }
      return { shards: shards.map((shard) => shard.id), rows };
    },
  );

export const handler = makeStep({ ...stepPorts(), settings: settings(), databases: databases() });
