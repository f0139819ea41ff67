import * as z from 'zod';
import { databases, registry, settings, stepPorts } from '../../adapters/ports';
import { ClusterRegistry, databaseOf } from '../../core/cluster/cluster-registry';
import type { Shard } from '../../core/cluster/items';
import { replicationName } from '../../core/cluster/names';
import { comparePositions } from '../../core/cluster/position';
import { nameSchema, type ClusterSettings } from '../../core/cluster/settings';
import { isRejoinError, messageOf, RejoinError } from '../../core/errors';
import { leaseSchema } from '../../core/lease/lease';
import { shardAfterMove, shardInSync, shardMoving } from '../../core/node-recovery/ownership';
import { keepSynchronousList } from '../../core/node-recovery/synchronous-list';
import type { DatabaseAddress, DatabaseEngine } from '../../core/ports/database-engine';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';
import { poll } from '../../core/step/poll';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly databases: Pick<
    DatabaseEngine,
    | 'openSlot'
    | 'slot'
    | 'advance'
    | 'dropSlot'
    | 'closeShard'
    | 'openShard'
    | 'position'
    | 'follow'
    | 'stopFollowing'
    | 'followerState'
    | 'setSynchronousFollowers'
    | 'writeMarker'
  >;
}

const inputSchema = z.strictObject({
  cluster: nameSchema,
  move: z.strictObject({ shard: z.string(), from: z.string(), to: z.string(), epoch: z.int() }),
  /** Makes each round of moves a call of its own: a shard that was moved back in one may move in the next. */
  round: z.int().min(1),
  lease: leaseSchema,
});

/**
 * Writers may wait a second; then the shard stays where it is (rule 13). What follows the decision can't be taken back and
 * takes about as long as what comes before it, so the decision has to be made by then.
 */
const decideWithinMs = 600;
/** Of it, so much for the writers to end, so that the rest is left for the confirmation. */
const drainTimeoutMs = 300;
const tries = 3;
const betweenTriesMs = 1_000;
const confirmTimeoutMs = 10_000;

export type Rebalanced = Readonly<{
  shard: string;
  action: 'moved' | 'moved back' | 'none';
  /** How long writers waited; null when nothing was paused by this call. */
  pauseMs: number | null;
  reason: string;
}>;

interface Scene {
  readonly ports: Ports;
  readonly clusterRegistry: ClusterRegistry;
  readonly cluster: ClusterSettings;
  readonly from: DatabaseAddress;
  readonly to: DatabaseAddress;
  /** The subscription of `to` on `from`, which ends. */
  readonly oldName: string;
  /** The subscription of `from` on `to`, which begins. */
  readonly newName: string;
}

/**
 * Lets the two owners of a shard change roles: stops its writes, waits until the follower has confirmed the last one,
 * makes it the primary. Where that takes longer than a second, writes go on where they were.
 *
 * What was begun is always brought to an end: a rerun goes on from the registry's word.
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'rebalance-shard', input: inputSchema, effect: 'changes', lease: (input) => input.lease },
    async ({ cluster: name, move }): Promise<Rebalanced> => {
      const clusterRegistry = new ClusterRegistry(ports.registry);
      const [cluster, from, to] = await Promise.all([
        ports.settings.cluster(name),
        clusterRegistry.node(name, move.from),
        clusterRegistry.node(name, move.to),
      ]);
      const scene: Scene = {
        ports,
        clusterRegistry,
        cluster,
        from: databaseOf(cluster, from),
        to: databaseOf(cluster, to),
        oldName: replicationName(move.shard, move.epoch),
        newName: replicationName(move.shard, move.epoch + 1),
      };
      const shard = await clusterRegistry.shard(name, move.shard);
      if (shard.primary === move.to && shard.follower === move.from && shard.epoch === move.epoch + 1) {
        await finish(scene, shard);
        return moved(shard.id, scene, null);
      }
      if (shard.primary !== move.from || shard.follower !== move.to || shard.epoch !== move.epoch) {
        return { shard: shard.id, action: 'none', pauseMs: null, reason: `${shard.id}'s owners changed meanwhile` };
      }
      return attempt(scene, shard);
    },
  );

function moved(shard: string, { from, to }: Scene, pauseMs: number | null): Rebalanced {
  return { shard, action: 'moved', pauseMs, reason: `${to.nodeId} is the primary of ${shard}, ${from.nodeId} follows` };
}

async function attempt(scene: Scene, first: Shard): Promise<Rebalanced> {
  const { ports, to, newName } = scene;
  let shard = first;
  let reason = '';
  for (let number = 1; number <= tries; number += 1) {
    if (number > 1) {
      await ports.clock.sleep(betweenTriesMs);
    }
    // Before the pause: making a slot waits for open transactions.
    await ports.databases.openSlot(to, { slot: newName, shard: shard.id, schemas: shard.schemas });
    const pausedAtMs = ports.clock.nowMs();
    try {
      const changed = await change(scene, shard, pausedAtMs + decideWithinMs);
      const openedAtMs = await finish(scene, changed);
      return moved(shard.id, scene, openedAtMs - pausedAtMs);
    } catch (thrown) {
      reason = messageOf(thrown);
      shard = await moveBack(scene, shard.id, thrown);
    }
  }
  await ports.databases.dropSlot(to, newName);
  return { shard: shard.id, action: 'moved back', pauseMs: null, reason };
}

/** Up to the write that makes the follower the primary; until then everything can be taken back. */
async function change(scene: Scene, shard: Shard, untilMs: number): Promise<Shard> {
  const { ports, clusterRegistry, cluster, from, to, oldName, newName } = scene;
  const moving =
    shard.state === 'moving' ? shard : await clusterRegistry.changeShard(cluster.name, shard, shardMoving(shard));
  const last = await ports.databases.closeShard(from, { shard: shard.id, epoch: shard.epoch, drainTimeoutMs });
  const leftMs = untilMs - ports.clock.nowMs();
  const confirmed = await poll(ports.clock, { timeoutMs: leftMs, everyMs: 20 }, async () => {
    const { flushedTo } = await ports.databases.followerState(from, oldName);
    return flushedTo !== null && comparePositions(flushedTo, last) >= 0 ? flushedTo : null;
  });
  if (confirmed === null) {
    throw new RejoinError(
      'NotProved',
      `${to.nodeId} did not confirm ${shard.id} up to ${last} within ${decideWithinMs} ms`,
    );
  }
  // What the new primary has applied of the old one's changes must not go back to it.
  await ports.databases.advance(to, { slot: newName, to: await ports.databases.position(to) });
  if (ports.clock.nowMs() > untilMs) {
    throw new RejoinError('NotProved', `moving ${shard.id} to ${to.nodeId} took longer than ${decideWithinMs} ms`);
  }
  return clusterRegistry.changeShard(cluster.name, moving, shardAfterMove(moving));
}

/** Lets writes go on where they were. @throws what went wrong, where the move had been decided already */
async function moveBack(scene: Scene, id: string, cause: unknown): Promise<Shard> {
  const { ports, clusterRegistry, cluster, from } = scene;
  const shard = await clusterRegistry.shard(cluster.name, id);
  if (shard.primary !== from.nodeId || shard.state !== 'moving') {
    throw cause;
  }
  const back = await clusterRegistry.changeShard(cluster.name, shard, shardInSync(shard));
  await ports.databases.openShard(from, { shard: id, epoch: shard.epoch });
  return back;
}

/**
 * After the write: the old direction ends before the new one begins, or changes would go round.
 *
 * @returns when writes went on
 */
async function finish(scene: Scene, shard: Shard): Promise<number> {
  const { ports, clusterRegistry, cluster, from, to, oldName, newName } = scene;
  const { databases: engine } = ports;
  let openedAtMs = ports.clock.nowMs();
  if (shard.state !== 'in sync') {
    await Promise.all([
      // Other shards of the old primary wait for the old name until it is off the list.
      keepSynchronousList(engine, clusterRegistry, cluster, from.nodeId),
      turnAround(scene, shard),
    ]);
    openedAtMs = ports.clock.nowMs();
    const marker = await engine.writeMarker(to, shard.id);
    const confirmed = await poll(ports.clock, { timeoutMs: confirmTimeoutMs, everyMs: 50 }, async () => {
      const { flushedTo } = await engine.followerState(to, newName);
      return flushedTo !== null && comparePositions(flushedTo, marker) >= 0 ? flushedTo : null;
    });
    if (confirmed === null) {
      throw new RejoinError(
        'NotProved',
        `${from.nodeId} did not confirm ${marker} of ${shard.id} after it changed roles`,
      );
    }
    await becomeInSync(scene, shard);
  }
  await engine.dropSlot(from, oldName);
  return openedAtMs;
}

/** Opens the shard on the new primary, once the old one follows it and is listed: each commit there is confirmed. */
async function turnAround(scene: Scene, shard: Shard): Promise<void> {
  const { ports, clusterRegistry, cluster, from, to, oldName, newName } = scene;
  const { databases: engine } = ports;
  const [{ confirmedTo }] = await Promise.all([
    engine.slot(to, newName),
    engine.stopFollowing(to, oldName),
    // Closed at the new epoch, too: a late order to open it at the old one, of a step that was killed, is refused there.
    engine.closeShard(from, { shard: shard.id, epoch: shard.epoch, drainTimeoutMs }),
  ]);
  if (confirmedTo === null) {
    throw new RejoinError('SlotLost', `slot ${newName} on ${to.nodeId} is lost, so ${from.nodeId} can't follow it`);
  }
  await engine.follow(from, { name: newName, shard: shard.id, primary: to, from: confirmedTo });
  await keepSynchronousList(engine, clusterRegistry, cluster, to.nodeId);
  await engine.openShard(to, { shard: shard.id, epoch: shard.epoch });
}

/** Its primary's agent may have gone on alone meanwhile; then there is nothing left to say. */
async function becomeInSync({ clusterRegistry, cluster }: Scene, shard: Shard): Promise<void> {
  try {
    await clusterRegistry.changeShard(cluster.name, shard, shardInSync(shard));
  } catch (thrown) {
    if (!isRejoinError(thrown, 'ConditionFailed')) {
      throw thrown;
    }
  }
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  databases: databases(),
});
