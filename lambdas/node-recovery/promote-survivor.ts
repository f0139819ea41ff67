import * as z from 'zod';
import { databases, registry, settings, stepPorts } from '../../adapters/ports';
import { ClusterRegistry, ownerAddress } from '../../core/cluster/cluster-registry';
import { fenceSchema, type Fence, type NodeItem, type Shard } from '../../core/cluster/items';
import { replicationName } from '../../core/cluster/names';
import { nameSchema, type ClusterSettings } from '../../core/cluster/settings';
import { isRejoinError, RejoinError } from '../../core/errors';
import { leaseSchema } from '../../core/lease/lease';
import { chooseCandidate } from '../../core/node-recovery/choose-candidate';
import {
  followName,
  shardAfterFollowerLoss,
  shardAfterPromotion,
  survivorOf,
} from '../../core/node-recovery/ownership';
import { promoteStandby, type StandbyScene } from '../../core/node-recovery/promote-standby';
import { coveredToMs, readReportedPosition, receivedBy } from '../../core/node-recovery/reported-position';
import { keepSynchronousList } from '../../core/node-recovery/synchronous-list';
import type { DatabaseAddress, DatabaseEngine } from '../../core/ports/database-engine';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly databases: Pick<
    DatabaseEngine,
    'pauseFollowing' | 'resumeFollowing' | 'stopFollowing' | 'openShard' | 'setSynchronousFollowers' | 'appliedTo'
  > &
    StandbyScene['databases'];
}

const inputSchema = z.strictObject({
  cluster: nameSchema,
  nodeId: nameSchema,
  shard: z.string(),
  lease: leaseSchema,
  /** The machine's fence where it is proved; null before. */
  fence: fenceSchema.nullable(),
});

export type Promotion = Readonly<{
  shard: string;
  action: 'promoted' | 'went on alone' | 'already done' | 'no owner left';
  /** The most log that was lost; null where durability excludes a loss. */
  lossBytes: number | null;
  /** Asynchronous: what was acknowledged before this moment is not lost; null where it is not known. */
  coveredToMs: number | null;
  reason: string;
}>;

/** Nobody was promoted, or durability excludes a loss. */
const nothingLost = { lossBytes: null, coveredToMs: null } as const;

/** What one shard's promotion works with. */
interface Scene {
  readonly ports: Ports;
  readonly cluster: ClusterSettings;
  readonly clusterRegistry: ClusterRegistry;
  readonly nodes: readonly NodeItem[];
  readonly failed: string;
  readonly fence: Fence | null;
}

/** Agents write the same items: whoever loses a conditional write reads again and does what is left. */
const tries = 4;

/**
 * Does for one shard what its owner's agent left undone: makes the follower of a failed primary the primary (rules 5 and
 * 6), or lets the primary of a failed follower go on alone. In a replicated cluster it makes a standby the primary, where
 * the failed node was it. Whatever was done already is only completed.
 *
 * @throws LossNotAccepted when an asynchronous promotion would lose too much, or nobody knows how much
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'promote-survivor', input: inputSchema, effect: 'changes', lease: (input) => input.lease },
    async (input): Promise<Promotion> => {
      const clusterRegistry = new ClusterRegistry(ports.registry);
      const [cluster, nodes] = await Promise.all([
        ports.settings.cluster(input.cluster),
        clusterRegistry.nodes(input.cluster),
      ]);
      const scene: Scene = { ports, cluster, clusterRegistry, nodes, failed: input.nodeId, fence: input.fence };
      const promoteOne = cluster.layout === 'replicated' ? standInFor : promote;
      for (let attempt = 1; ; attempt += 1) {
        const shard = await clusterRegistry.shard(input.cluster, input.shard);
        try {
          return await promoteOne(scene, shard);
        } catch (thrown) {
          if (!isRejoinError(thrown, 'ConditionFailed') || attempt === tries) {
            throw thrown;
          }
        }
      }
    },
  );

async function promote(scene: Scene, shard: Shard): Promise<Promotion> {
  if (shard.primary === scene.failed) {
    const survivor = survivorOf(shard, scene.failed);
    if (survivor === null) {
      const reason = `no other owner of ${shard.id} has all of its rows`;
      return { shard: shard.id, action: 'no owner left', ...nothingLost, reason };
    }
    return takeOver(scene, shard, survivor);
  }
  if (shard.follower === scene.failed) {
    const after = await scene.clusterRegistry.changeShard(scene.cluster.name, shard, shardAfterFollowerLoss(shard));
    await complete(scene, after);
    const reason = `${shard.primary} goes on without ${scene.failed}`;
    return { shard: shard.id, action: 'went on alone', ...nothingLost, reason };
  }
  await complete(scene, shard);
  const reason = `${shard.primary} has had ${shard.id} since epoch ${shard.epoch}`;
  return { shard: shard.id, action: 'already done', ...nothingLost, reason };
}

/** A replicated cluster has one shard, of all rows, and its standbys are not in its item. */
async function standInFor(scene: Scene, shard: Shard): Promise<Promotion> {
  const { ports, ...facts } = scene;
  const { clock, registry: store, databases: engine } = ports;
  return {
    shard: shard.id,
    ...(await promoteStandby({ ...facts, clock, registry: store, databases: engine }, shard)),
  };
}

async function takeOver(scene: Scene, shard: Shard, survivor: string): Promise<Promotion> {
  const { ports, cluster, clusterRegistry } = scene;
  const address = ownerAddress(cluster, scene.nodes, survivor);
  const name = followName(shard);
  await pauseFollowing(ports, address, name);
  const { fence, ...loss } =
    cluster.durability === 'synchronous'
      ? { fence: followerFence(survivor, name), ...nothingLost, reason: `${survivor} confirmed each commit` }
      : await machineFence(scene, shard, address);
  const after = shardAfterPromotion(shard, survivor, fence, ports.clock.nowMs());
  try {
    await clusterRegistry.changeShard(cluster.name, shard, after);
  } catch (thrown) {
    const now = await clusterRegistry.shard(cluster.name, shard.id);
    if (now.follower === survivor && now.epoch === shard.epoch) {
      await ports.databases.resumeFollowing(address, name);
    }
    throw thrown;
  }
  await complete(scene, after);
  return { shard: shard.id, action: 'promoted', ...loss };
}

/** A rerun finds the subscription paused, or gone when it was dropped after an earlier promotion. */
async function pauseFollowing(ports: Ports, address: DatabaseAddress, name: string): Promise<void> {
  try {
    await ports.databases.pauseFollowing(address, name);
  } catch (thrown) {
    if (!isRejoinError(thrown, 'NotFound')) {
      throw thrown;
    }
  }
}

function followerFence(survivor: string, name: string): Omit<Fence, 'atMs'> {
  return {
    kind: 'follower',
    api: `no apply worker of subscription ${name} is left on ${survivor}`,
    probes: [`${survivor} confirms nothing more`],
  };
}

/** Commits did not wait for this follower: only a stopped machine keeps the old primary from acknowledging more. */
async function machineFence(
  scene: Scene,
  shard: Shard,
  address: DatabaseAddress,
): Promise<Pick<Promotion, 'lossBytes' | 'coveredToMs' | 'reason'> & { readonly fence: Omit<Fence, 'atMs'> }> {
  if (scene.fence === null) {
    throw new RejoinError(
      'FenceNotProved',
      `${shard.id} is asynchronous: ${address.nodeId} may take over only when ${scene.failed}'s machine is proved stopped`,
    );
  }
  const name = followName(shard);
  const [report, appliedTo] = await Promise.all([
    readReportedPosition(scene.ports.registry, scene.cluster.name, scene.failed),
    scene.ports.databases.appliedTo(address, { shard: shard.id, lineage: name }),
  ]);
  const received = receivedBy(report, { name, appliedTo });
  const site = scene.nodes.find((node) => node.id === address.nodeId)?.site ?? '';
  const choice = chooseCandidate({
    subject: shard.id,
    oldPrimary: scene.failed,
    lastReported: report?.position ?? null,
    candidates: [{ nodeId: address.nodeId, site, received }],
    clientSite: null,
    maxLossBytes: scene.cluster.policy.maxLossBytes,
  });
  if (choice.action === 'refuse') {
    throw new RejoinError('LossNotAccepted', choice.reason);
  }
  const covered = report === null || received === null ? null : coveredToMs(report, received);
  const until = covered === null ? '' : `; it has all that was acknowledged before ${new Date(covered).toISOString()}`;
  return {
    fence: scene.fence,
    lossBytes: choice.lossBytes,
    coveredToMs: covered,
    reason: `${choice.reason} of what was reported${until}`,
  };
}

/** What follows from an item that is written: the list of those who confirm, writes at its epoch, the end of following. */
async function complete(scene: Scene, shard: Shard): Promise<void> {
  const { ports, cluster, clusterRegistry } = scene;
  if (shard.primary === scene.failed) {
    return;
  }
  await keepSynchronousList(ports.databases, clusterRegistry, cluster, shard.primary);
  const address = ownerAddress(cluster, scene.nodes, shard.primary);
  await ports.databases.openShard(address, { shard: shard.id, epoch: shard.epoch });
  // What it followed until it was promoted, an epoch ago: whoever promoted it may have died before this.
  await ports.databases.stopFollowing(address, replicationName(shard.id, shard.epoch - 1));
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  databases: databases(),
});
