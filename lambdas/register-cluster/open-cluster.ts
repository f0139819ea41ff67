import * as z from 'zod';
import { databases, registry, settings, stepPorts } from '../../adapters/ports';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import { keepSynchronousList } from '../../core/node-recovery/synchronous-list';
import { nodeAddress, nodesOf } from '../../core/registration/compare-registered';
import { metaOf } from '../../core/registration/member-items';
import { plannedShardSchema } from '../../core/registration/planned-shard';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly databases: Pick<DatabaseEngine, 'setSynchronousFollowers' | 'openShard'>;
}

const inputSchema = z.strictObject({ cluster: z.string(), groups: z.array(z.array(plannedShardSchema)) });

/**
 * Lets followers confirm commits, accepts writes of each shard on its primary, and makes it a cluster: its own item comes
 * last, so that whoever finds it finds everything.
 */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'open-cluster', input: inputSchema, effect: 'changes' }, async ({ cluster, groups }) => {
    const clusters = new ClusterRegistry(ports.registry);
    const clusterSettings = await ports.settings.cluster(cluster);
    const shards = groups.flat();
    if (shards.length > 0) {
      for (const { id } of nodesOf(clusterSettings)) {
        await keepSynchronousList(ports.databases, clusters, clusterSettings, id);
      }
    }
    for (const { id, epoch, primary, follower } of shards) {
      if (follower === null) {
        // The only primary that there is: it was never closed.
        continue;
      }
      await ports.databases.openShard(nodeAddress(clusterSettings, primary), { shard: id, epoch });
    }
    const meta = metaOf(clusterSettings, shards);
    await clusters.enter(cluster, { kind: 'META', value: meta });
    return { nodes: nodesOf(clusterSettings).length, shards: shards.length, epoch: meta.epoch };
  });

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  databases: databases(),
});
