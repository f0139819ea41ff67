import { ClusterRegistry } from '../../../core/cluster/cluster-registry';
import { check } from './aftermath';
import { kill, startByHand, type NodeFault } from './fault';
import { clusterName } from './world';

/** Nothing of these is about the primary: whoever else a node is, its loss stops no write. */
const aboutStandby = {
  layouts: ['replicated'],
  expectedOutcome: 'recovered',
  whole: true,
  // Commits wait for no standby; how long one takes depends on what else this machine does.
  longestGapMs: 5_000,
  victim: (nodes, seed) => nodes[1 + (seed % Math.max(1, nodes.length - 1))],
  after: async ({ world, check: add }) => {
    const shards = await new ClusterRegistry(world.cloud.registry).shards(clusterName);
    const [first] = world.nodes;
    const primaries = shards.map(({ primary, epoch }) => `${primary} at epoch ${epoch}`);
    add(check('the primary', `${first?.id ?? ''} at epoch 1`, primaries.join(', ')));
  },
} as const satisfies Partial<NodeFault>;

/** What can go wrong only where each node holds all rows. */
export const replicatedFaults: readonly NodeFault[] = [
  {
    ...aboutStandby,
    name: 'kill-standby',
    summary: 'a standby dies: nobody is promoted, writes go on, and it is replaced',
    begin: kill,
  },
  {
    ...aboutStandby,
    name: 'planned-standby',
    summary: 'a living standby is replaced on purpose: built first, fenced last, writes go on',
    begin: async (context) => {
      context.say(`starts a planned replacement of ${context.victim.id}, which is alive`);
      await startByHand(context, { planned: true });
    },
  },
];
