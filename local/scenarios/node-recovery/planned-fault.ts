import { setTimeout as delay } from 'node:timers/promises';
import { ClusterRegistry } from '../../../core/cluster/cluster-registry';
import { startByHand, type NodeFault } from './fault';
import { clusterName } from './world';

/** Often enough to see a shard that is left with one copy for as long as a conditional write and the next one take. */
const lookEveryMs = 20;

/** Nothing goes wrong: a living node is replaced on purpose, and no shard is ever left with a single copy. */
export const planned: NodeFault = {
  name: 'planned',
  summary: 'a living node is replaced on purpose: built first, fenced last, two copies of each shard throughout',
  expectedOutcome: 'recovered',
  whole: true,
  // Meant to be under a second; how much more it takes depends on what else this machine does.
  longestGapMs: 5_000,
  begin: async (context) => {
    context.say(`starts a planned replacement of ${context.victim.id}, which is alive`);
    await startByHand(context, { planned: true });
  },
  during: async ({ world, check }, execution) => {
    const registry = new ClusterRegistry(world.cloud.registry);
    const running = () =>
      world.cloud.executions.all().some(({ name, status }) => name === execution && status === 'RUNNING');
    const singles = new Set<string>();
    let looks = 0;
    while (running()) {
      for (const shard of await registry.shards(clusterName)) {
        if (shard.follower === null) {
          singles.add(`${shard.id} at epoch ${shard.epoch}`);
        }
      }
      looks += 1;
      await delay(lookEveryMs);
    }
    check({
      name: 'shards seen with a single copy',
      ok: singles.size === 0 && looks > 0,
      expected: '0',
      got: singles.size === 0 ? '0' : `${singles.size}: ${[...singles].join(', ')}`,
    });
  },
};
