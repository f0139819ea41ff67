import { ClusterRegistry } from '../../../core/cluster/cluster-registry';
import { check } from './aftermath';
import { kill, type NodeFault } from './fault';
import { clusterName } from './world';

/** A standby dies: nobody is promoted, writes go on, and it is replaced. */
export const killStandby: NodeFault = {
  name: 'kill-standby',
  layouts: ['replicated'],
  summary: 'a standby dies: nobody is promoted, writes go on, and it is replaced',
  expectedOutcome: 'recovered',
  whole: true,
  // Commits wait for no standby; how long one takes depends on what else this machine does.
  longestGapMs: 5_000,
  victim: (nodes, seed) => nodes[1 + (seed % Math.max(1, nodes.length - 1))],
  begin: kill,
  after: async ({ world, check: add }) => {
    const shards = await new ClusterRegistry(world.cloud.registry).shards(clusterName);
    const [first] = world.nodes;
    add(
      check(
        'the primary',
        `${first?.id ?? ''} at epoch 1`,
        shards.map(({ primary, epoch }) => `${primary} at epoch ${epoch}`).join(),
      ),
    );
  },
};
