import * as z from 'zod';
import { databases, registry, settings, stepPorts } from '../../adapters/ports';
import { ClusterRegistry, databaseOf } from '../../core/cluster/cluster-registry';
import type { Shard } from '../../core/cluster/items';
import { replicationName } from '../../core/cluster/names';
import { comparePositions } from '../../core/cluster/position';
import { nameSchema, type ClusterSettings } from '../../core/cluster/settings';
import { isRejoinError, RejoinError } from '../../core/errors';
import { leaseSchema } from '../../core/lease/lease';
import {
  joinName,
  followName,
  shardAfterJoining,
  shardAfterSuccession,
  shardInSync,
} from '../../core/node-recovery/ownership';
import { serveNode } from '../../core/node-recovery/serve-node';
import { keepSynchronousList } from '../../core/node-recovery/synchronous-list';
import type { DatabaseAddress, DatabaseEngine } from '../../core/ports/database-engine';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { replacementSchema, restoreSlotSchema, type RestoreSlot } from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';
import { poll } from '../../core/step/poll';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly databases: Pick<
    DatabaseEngine,
    | 'appliedTo'
    | 'follow'
    | 'followerState'
    | 'setSynchronousFollowers'
    | 'synchronousFollowers'
    | 'writeMarker'
    | 'openShard'
    | 'stopFollowing'
    | 'dropSlot'
  >;
}

const inputSchema = z.strictObject({
  cluster: nameSchema,
  /** The node that is replaced. Where it lives, it follows until its successor has confirmed everything. */
  nodeId: nameSchema,
  replacement: replacementSchema,
  slot: restoreSlotSchema,
  lease: leaseSchema,
});

/** Listed with more lag than this, the follower would hold up every commit of its primary (measured: 1.1 s). */
const littleLagBytes = 262_144;
const catchUpTimeoutMs = 60_000;
const confirmTimeoutMs = 20_000;
const lookEveryMs = 100;
/** An agent may set the list from an older look at the registry: then it is set again, and confirmed anew. */
const listTries = 5;

export type HandOver = Readonly<{ shard: string; from: string; reason: string }>;

interface Scene {
  readonly ports: Ports;
  readonly clusterRegistry: ClusterRegistry;
  readonly cluster: ClusterSettings;
  readonly slot: RestoreSlot;
  readonly primary: DatabaseAddress;
  readonly replacement: DatabaseAddress;
}

/**
 * Hands one shard over to native replication (rule 13): a subscription on the same slot, from the position applied last;
 * listed as synchronous once it streams with little lag; in sync once it has confirmed a marker written after that.
 *
 * Where the node that is replaced still follows (rule 16), the replacement confirms a marker first, then takes its place
 * by one conditional write, and only when it is in sync does the old follower end: there are two copies at every moment.
 *
 * @throws ConditionFailed when the shard's owners changed since its slot was opened
 * @throws NotProved when the follower does not catch up or does not confirm in time
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'hand-over', input: inputSchema, effect: 'changes', lease: (input) => input.lease },
    async ({ cluster: name, nodeId, replacement, slot }): Promise<HandOver> => {
      const clusterRegistry = new ClusterRegistry(ports.registry);
      const [cluster, primary] = await Promise.all([
        ports.settings.cluster(name),
        clusterRegistry.node(name, slot.primary),
      ]);
      const scene: Scene = {
        ports,
        clusterRegistry,
        cluster,
        slot,
        primary: databaseOf(cluster, primary),
        replacement: databaseOf(cluster, { id: replacement.nodeId, host: replacement.host, port: replacement.port }),
      };
      const shard = await clusterRegistry.shard(name, slot.shard);
      const reached = await ports.databases.appliedTo(scene.replacement, { shard: shard.id, lineage: slot.slot });
      const from = reached ?? slot.from;
      requireUnchanged(shard, slot, { nodeId, replacement: replacement.nodeId });
      if (shard.state === 'in sync' && shard.follower === replacement.nodeId) {
        await endPredecessor(scene, nodeId, shard);
        const reason = `${replacement.nodeId} has followed ${slot.primary} since an earlier try`;
        return { shard: shard.id, from, reason };
      }
      await serveNode(clusterRegistry, name, replacement.nodeId);
      const joining = shard.follower === replacement.nodeId ? shard : await join(scene, shard, from);
      // A successor begins with an epoch of its own; where there was no follower, this changes nothing.
      await ports.databases.openShard(scene.primary, { shard: shard.id, epoch: joining.epoch });
      const marker = await confirm(scene);
      const after = await clusterRegistry.changeShard(name, joining, shardInSync(joining));
      await endPredecessor(scene, nodeId, after);
      return {
        shard: shard.id,
        from,
        reason: `${replacement.nodeId} confirmed ${marker} of ${slot.primary}'s log`,
      };
    },
  );

/** The slot's name has the epoch: another epoch, or another follower, means that somebody went on in another way. */
function requireUnchanged(
  shard: Shard,
  slot: RestoreSlot,
  { nodeId, replacement }: { readonly nodeId: string; readonly replacement: string },
): void {
  const joined = shard.follower === replacement && followName(shard) === slot.slot;
  const free = shard.follower === null || (shard.follower === nodeId && shard.state === 'in sync');
  if (shard.primary !== slot.primary || !(joined || (free && joinName(shard) === slot.slot))) {
    throw new RejoinError(
      'ConditionFailed',
      `${shard.id} changed its owners while it was restored (primary ${shard.primary}, follower ${shard.follower ?? 'none'}, epoch ${shard.epoch}; slot ${slot.slot} was opened on ${slot.primary}); start the recovery again`,
    );
  }
}

async function join(scene: Scene, shard: Shard, from: string): Promise<Shard> {
  const { ports, clusterRegistry, cluster, slot, primary, replacement } = scene;
  await ports.databases.follow(replacement, { name: slot.slot, shard: shard.id, primary, from });
  const close = await poll(ports.clock, { timeoutMs: catchUpTimeoutMs, everyMs: lookEveryMs }, async () => {
    const seen = await ports.databases.followerState(primary, slot.slot);
    return seen.streaming && seen.lagBytes !== null && seen.lagBytes <= littleLagBytes ? seen : null;
  });
  if (close === null) {
    throw new RejoinError(
      'NotProved',
      `${replacement.nodeId} did not come within ${littleLagBytes} bytes of ${primary.nodeId}'s log for ${shard.id} in ${catchUpTimeoutMs / 1_000} s`,
    );
  }
  if (shard.follower === null) {
    return clusterRegistry.changeShard(cluster.name, shard, shardAfterJoining(shard, replacement.nodeId));
  }
  // The old follower confirms commits until the write below; by then the new one has all but the newest of them.
  await confirmMarker(scene);
  return clusterRegistry.changeShard(cluster.name, shard, shardAfterSuccession(shard, replacement.nodeId));
}

/**
 * Ends what the node that is replaced did for this shard. Its subscription may be out of reach, where it died meanwhile;
 * without the slot it gets nothing more. Repeating it changes nothing.
 */
async function endPredecessor(scene: Scene, nodeId: string, shard: Shard): Promise<void> {
  const { ports, clusterRegistry, cluster, primary } = scene;
  const name = replicationName(shard.id, shard.epoch - 1);
  const node = await clusterRegistry.node(cluster.name, nodeId);
  if (node.state === 'serving') {
    try {
      await ports.databases.stopFollowing(databaseOf(cluster, node), name);
    } catch (thrown) {
      if (!isRejoinError(thrown, 'SqlUnavailable')) {
        throw thrown;
      }
    }
  }
  await ports.databases.dropSlot(primary, name);
}

/** Commits wait for the follower from now on, and it has everything from before: the marker stands between the two. */
async function confirm(scene: Scene): Promise<string> {
  const { ports, clusterRegistry, cluster, slot, primary } = scene;
  for (let attempt = 0; attempt < listTries; attempt += 1) {
    await keepSynchronousList(ports.databases, clusterRegistry, cluster, primary.nodeId);
    const marker = await confirmMarker(scene);
    const listed =
      cluster.durability === 'asynchronous' ||
      (await ports.databases.synchronousFollowers(primary)).includes(slot.slot);
    if (listed) {
      return marker;
    }
  }
  throw new RejoinError(
    'NotProved',
    `${slot.slot} was taken off the list of synchronous followers of ${primary.nodeId} ${listTries} times`,
  );
}

/** Writes a marker and waits until the follower has it on disk. @returns the position that it confirmed */
async function confirmMarker({ ports, slot, primary }: Scene): Promise<string> {
  const marker = await ports.databases.writeMarker(primary, slot.shard);
  const confirmed = await poll(ports.clock, { timeoutMs: confirmTimeoutMs, everyMs: lookEveryMs }, async () => {
    const { flushedTo } = await ports.databases.followerState(primary, slot.slot);
    return flushedTo !== null && comparePositions(flushedTo, marker) >= 0 ? flushedTo : null;
  });
  if (confirmed === null) {
    throw new RejoinError(
      'NotProved',
      `the follower of ${slot.shard} did not confirm ${marker} of ${primary.nodeId}'s log in ${confirmTimeoutMs / 1_000} s`,
    );
  }
  return marker;
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  databases: databases(),
});
