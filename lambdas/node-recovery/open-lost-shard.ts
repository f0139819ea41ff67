import * as z from 'zod';
import { databases, registry, settings, stepPorts } from '../../adapters/ports';
import { ClusterRegistry, databaseOf } from '../../core/cluster/cluster-registry';
import { fenceSchema, type Fence, type Shard } from '../../core/cluster/items';
import { comparePositions } from '../../core/cluster/position';
import { nameSchema } from '../../core/cluster/settings';
import { RejoinError } from '../../core/errors';
import { leaseSchema } from '../../core/lease/lease';
import { shardAfterRestore } from '../../core/node-recovery/ownership';
import { shardLossSchema, type ShardLoss } from '../../core/node-recovery/shard-loss';
import { keepSynchronousList } from '../../core/node-recovery/synchronous-list';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { replacementSchema } from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly databases: Pick<DatabaseEngine, 'appliedTo' | 'openShard' | 'setSynchronousFollowers'>;
}

const inputSchema = z.strictObject({
  cluster: nameSchema,
  replacement: replacementSchema,
  loss: shardLossSchema,
  /** What proves that no earlier primary accepts writes any more. */
  fences: z.array(z.strictObject({ nodeId: z.string(), fence: fenceSchema })),
  lease: leaseSchema,
});

/** A shard that lives again from a backup, and what was lost with its owners. */
export type LostShardOpened = Readonly<{ shard: string; lossSeconds: number; lastCaptured: string; reason: string }>;

/**
 * Makes the replacement the only owner of a shard of which only a backup was left, and accepts writes there. Its earlier
 * primary was proved stopped, and the segments were replayed to where they were when the loss was accepted.
 *
 * @throws LossNotAccepted when the replacement has less than what the accepted loss was reckoned with
 * @throws FenceNotProved when nothing proves that the earlier primary is stopped
 * @throws ConditionFailed when the shard's owners changed meanwhile
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'open-lost-shard', input: inputSchema, effect: 'changes', lease: (input) => input.lease },
    async ({ cluster: name, replacement, loss, fences }): Promise<LostShardOpened> => {
      const clusters = new ClusterRegistry(ports.registry);
      const cluster = await ports.settings.cluster(name);
      const target = databaseOf(cluster, { id: replacement.nodeId, host: replacement.host, port: replacement.port });
      const reached = await ports.databases.appliedTo(target, { shard: loss.shard, lineage: loss.slot });
      requireAll(loss, reached ?? loss.changesFrom);
      const shard = await clusters.shard(name, loss.shard);
      const after =
        shard.primary === replacement.nodeId && shard.epoch === loss.epoch + 1
          ? shard
          : await takeOver(clusters, name, shard, { loss, fences, successor: replacement.nodeId });
      await keepSynchronousList(ports.databases, clusters, cluster, replacement.nodeId);
      await ports.databases.openShard(target, { shard: after.id, epoch: after.epoch });
      const until = new Date(loss.capturedAtMs).toISOString();
      return {
        shard: after.id,
        lossSeconds: loss.lossSeconds,
        lastCaptured: loss.capturedTo,
        reason: `${replacement.nodeId} has ${after.id} from a backup and its changes up to ${loss.capturedTo} of ${loss.logOf}'s log; writes acknowledged after ${until} are lost, ${loss.lossSeconds} s of them at most`,
      };
    },
  );

/** A chain of segments that ends early would lose more than anybody accepted. */
function requireAll(loss: ShardLoss, reached: string): void {
  if (comparePositions(reached, loss.capturedTo) < 0) {
    throw new RejoinError(
      'LossNotAccepted',
      `the stored changes of ${loss.shard} could be replayed to ${reached} of ${loss.logOf}'s log only, and ${loss.capturedTo} was captured; more than ${loss.lossSeconds} s would be lost; find the missing segments under its changes, or bring an owner back`,
    );
  }
}

async function takeOver(
  clusters: ClusterRegistry,
  cluster: string,
  shard: Shard,
  order: {
    readonly loss: ShardLoss;
    readonly fences: readonly { readonly nodeId: string; readonly fence: Fence }[];
    readonly successor: string;
  },
): Promise<Shard> {
  const { loss, fences, successor } = order;
  if (shard.epoch !== loss.epoch) {
    throw new RejoinError(
      'ConditionFailed',
      `${shard.id} changed its owners while it was restored from a backup (primary ${shard.primary}, epoch ${shard.epoch}; it was lost at epoch ${loss.epoch}); start the recovery again`,
    );
  }
  const proof = fences.find(({ nodeId }) => nodeId === shard.primary);
  if (proof === undefined) {
    throw new RejoinError(
      'FenceNotProved',
      `nothing proves that ${shard.primary}, the primary of ${shard.id}, is stopped; fence it by hand, then start again`,
    );
  }
  const node = await clusters.node(cluster, successor);
  if (node.state !== 'serving') {
    const serving = { ...node, state: 'serving' as const };
    await clusters.replace(cluster, { kind: 'NODE', value: node }, { kind: 'NODE', value: serving });
  }
  return clusters.changeShard(cluster, shard, shardAfterRestore(shard, successor, proof.fence));
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  databases: databases(),
});
