import { ClusterRegistry } from '../../../core/cluster/cluster-registry';
import type { NodeItem, Shard } from '../../../core/cluster/items';
import { RejoinError } from '../../../core/errors';
import { executionsSince, nextExecution } from '../deployed';
import { kill, startByHand, untilTrue, type FaultContext, type NodeFault } from './fault';
import { clusterName } from './world';

const refusal =
  /both owners of shard_\d{4} are silent: a backup would lose up to (\d+) s; start again with acceptLossSeconds/;

/** Two nodes die at once, and with them every copy of the shards that they shared. */
export const bothOwners: NodeFault = {
  name: 'both-owners',
  summary: 'both owners of a shard die: refused with what a backup would lose, then restored once that is accepted',
  expectedOutcome: 'recovered',
  expectedReason: /came from a backup, and up to \d+ s of acknowledged writes are lost$/,
  whole: false,
  begin: async (context) => {
    const { world, victim, say, mayLack } = context;
    const registry = new ClusterRegistry(world.cloud.registry);
    const other = otherOwner(context, await registry.shards(clusterName));
    for (const slot of await registry.slots(clusterName)) {
      const shard = await registry.shard(clusterName, slot.shard);
      if (ownsBoth(shard, victim.id, other.id) && slot.capturedAtMs !== undefined) {
        mayLack(shard.id, slot.capturedAtMs);
      }
    }
    say(`kills ${victim.id} and ${other.id}, and deletes their data`);
    await Promise.all([kill(context), world.room.machine(other.machineId).kill({ deleteData: true })]);
    await untilTrue('a recovery is refused for want of an owner', async () => (await refusals(context)).length > 0);
  },
  followUp: async (context) => {
    const { world, victim, say, check } = context;
    const [reason = 'nothing was refused'] = await refusals(context);
    const seconds = Number(refusal.exec(reason)?.[1] ?? 0);
    check({ name: 'the first start is refused', ok: seconds > 0, expected: String(refusal), got: reason });
    say(`starts a recovery of ${victim.id} with acceptLossSeconds: ${seconds}`);
    const startedAtMs = Date.now();
    await startByHand(context, { acceptLossSeconds: seconds });
    return nextExecution(world.cloud, 'node-recovery', startedAtMs);
  },
};

/** Why recoveries were refused so far. */
async function refusals({ world }: FaultContext): Promise<readonly string[]> {
  const ended = executionsSince(world.cloud, 'node-recovery', 0).filter(({ status }) => status !== 'RUNNING');
  const results = await Promise.all(ended.map(({ finished }) => finished));
  return results.map(({ cause }) => cause ?? '').filter((cause) => refusal.test(cause));
}

function otherOwner({ world, victim }: FaultContext, shards: readonly Shard[]): NodeItem {
  const shared = shards.find((shard) => shard.primary === victim.id);
  const other = world.nodes.find((node) => node.id === shared?.follower);
  if (other === undefined) {
    throw new RejoinError('NotFound', `no other node owns a shard of ${victim.id}`);
  }
  return other;
}

function ownsBoth(shard: Shard, ...nodes: readonly string[]): boolean {
  return nodes.every((node) => shard.primary === node || shard.follower === node);
}
