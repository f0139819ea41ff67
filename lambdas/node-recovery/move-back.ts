import * as z from 'zod';
import { databases, registry, settings, stepPorts } from '../../adapters/ports';
import { ClusterRegistry, databaseOf } from '../../core/cluster/cluster-registry';
import { nameSchema } from '../../core/cluster/settings';
import { leaseSchema } from '../../core/lease/lease';
import { shardInSync } from '../../core/node-recovery/ownership';
import { inWords } from '../../core/node-recovery/witnesses';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly databases: Pick<DatabaseEngine, 'openShard'>;
}

const inputSchema = z.strictObject({ cluster: nameSchema, lease: leaseSchema });

/** Lets writes go on in every shard whose move was begun and not decided: used when moving itself failed. */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'move-back', input: inputSchema, effect: 'changes', lease: (input) => input.lease },
    async ({ cluster: name }) => {
      const clusterRegistry = new ClusterRegistry(ports.registry);
      const cluster = await ports.settings.cluster(name);
      const moving = (await clusterRegistry.shards(name)).filter((shard) => shard.state === 'moving');
      let unopened: Error | null = null;
      for (const shard of moving) {
        const primary = await clusterRegistry.node(name, shard.primary);
        try {
          await ports.databases.openShard(databaseOf(cluster, primary), { shard: shard.id, epoch: shard.epoch });
        } catch (thrown) {
          // Where the server does not answer, the registry must say so all the same: then its follower may take over.
          unopened = thrown instanceof Error ? thrown : new Error(String(thrown));
        }
        await clusterRegistry.changeShard(name, shard, shardInSync(shard));
      }
      if (unopened !== null) {
        throw unopened;
      }
      const ids = moving.map((shard) => shard.id);
      return {
        shards: ids,
        reason: ids.length === 0 ? 'no shard was moving' : `${inWords(ids)} stayed where they were`,
      };
    },
  );

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  databases: databases(),
});
