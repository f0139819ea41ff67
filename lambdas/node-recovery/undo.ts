import * as z from 'zod';
import {
  databases,
  dns,
  machines,
  managedDatabases,
  registry,
  settings,
  statusAlarms,
  stepPorts,
} from '../../adapters/ports';
import { ClusterRegistry, databaseOf } from '../../core/cluster/cluster-registry';
import type { NodeItem, Shard } from '../../core/cluster/items';
import { standbyName } from '../../core/cluster/names';
import { nameSchema, type ClusterSettings } from '../../core/cluster/settings';
import { isRejoinError, messageOf } from '../../core/errors';
import { leaseSchema } from '../../core/lease/lease';
import { endNode, type EndingPorts } from '../../core/node-recovery/end-node';
import { endingAfterUndo, failureSchema } from '../../core/node-recovery/endings';
import { shardAfterFollowerLoss } from '../../core/node-recovery/ownership';
import { planUndo, type UndoAction } from '../../core/node-recovery/plan-undo';
import { keepSynchronousList } from '../../core/node-recovery/synchronous-list';
import { inWords } from '../../core/node-recovery/witnesses';
import type { Ending } from '../../core/outcome/outcome';
import type { DatabaseAddress, DatabaseEngine } from '../../core/ports/database-engine';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { replacementSchema } from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts, EndingPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly databases: Pick<DatabaseEngine, 'setSynchronousFollowers' | 'openShard' | 'dropSlot' | 'forgetStandby'>;
}

const inputSchema = z.strictObject({
  cluster: nameSchema,
  nodeId: nameSchema,
  shards: z.array(z.string()),
  /** Null where none was launched. */
  replacement: replacementSchema.nullable(),
  lease: leaseSchema,
  failure: failureSchema,
});

interface Scene {
  readonly ports: Ports;
  readonly clusterRegistry: ClusterRegistry;
  readonly cluster: ClusterSettings;
  readonly nodes: readonly NodeItem[];
}

/** How the execution ends, now that its changes are put back. */
export type Undone = Readonly<{ outcome: Ending['outcome']; reason: string; left: string[] }>;

/**
 * Puts back what a recovery changed: new slots and subscriptions, the replacement, its alarm and name. Promotions stay. What lies
 * on a node that does not answer is left and named.
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'undo', input: inputSchema, effect: 'changes', lease: (input) => input.lease },
    async ({ cluster: name, nodeId, shards, replacement, failure }, { run }): Promise<Undone> => {
      const clusterRegistry = new ClusterRegistry(ports.registry);
      const [cluster, nodes, all] = await Promise.all([
        ports.settings.cluster(name),
        clusterRegistry.nodes(name),
        clusterRegistry.shards(name),
      ]);
      const scene: Scene = { ports, clusterRegistry, cluster, nodes };
      const alive = nodes.some((node) => node.id === nodeId && node.state === 'serving');
      const plan = planUndo(all, shards, {
        replacement: replacement?.nodeId ?? null,
        predecessor: alive ? nodeId : null,
      });
      const left: string[] = [];
      for (const action of plan.actions) {
        left.push(...(await undo(scene, action)));
      }
      const ending = endingAfterUndo(failure);
      if (replacement !== null && plan.kept.length > 0) {
        const reason = `${ending.reason}; ${replacement.nodeId} stays, for ${inWords(plan.kept)} would lose a copy without it`;
        return { outcome: 'needs an operator', reason, left };
      }
      if (replacement !== null) {
        left.push(...(await forgetStandby(scene, all[0], replacement.nodeId)));
        left.push(...(await remove(scene, replacement.nodeId)));
      }
      await letGo(scene, nodeId, run.execution);
      const leftOver = left.length === 0 ? '' : `; left over: ${left.join(', ')}`;
      return { outcome: ending.outcome, reason: `${ending.reason}${leftOver}`, left };
    },
  );

/** @returns what could not be put back, in words */
async function undo(scene: Scene, { kind, shard, slots }: UndoAction): Promise<readonly string[]> {
  const { ports, clusterRegistry, cluster } = scene;
  const primary = addressOf(scene, shard.primary);
  const after =
    kind === 'go on alone'
      ? await clusterRegistry.changeShard(cluster.name, shard, shardAfterFollowerLoss(shard))
      : shard;
  return where(primary, `slots ${inWords(slots)}`, async () => {
    await keepSynchronousList(ports.databases, clusterRegistry, cluster, shard.primary);
    for (const slot of slots) {
      await ports.databases.dropSlot(primary, slot);
    }
    await ports.databases.openShard(primary, { shard: shard.id, epoch: after.epoch });
  });
}

/** In a replicated cluster, the log that the primary keeps for a replacement that goes. */
async function forgetStandby(scene: Scene, shard: Shard | undefined, nodeId: string): Promise<readonly string[]> {
  if (scene.cluster.layout !== 'replicated' || shard === undefined) {
    return [];
  }
  const primary = addressOf(scene, shard.primary);
  const name = standbyName(nodeId);
  return where(primary, `slot ${name}`, () => scene.ports.databases.forgetStandby(primary, name));
}

/** A node that does not answer must not keep the rest from being put back. */
async function where(address: DatabaseAddress, what: string, work: () => Promise<void>): Promise<readonly string[]> {
  try {
    await work();
    return [];
  } catch (thrown) {
    if (!isRejoinError(thrown, 'SqlUnavailable')) {
      throw thrown;
    }
    return [`${what} on ${address.nodeId} (${messageOf(thrown)})`];
  }
}

/** @returns what could not be removed, in words */
async function remove({ ports, clusterRegistry, cluster, nodes }: Scene, nodeId: string): Promise<readonly string[]> {
  const node = nodes.find((candidate) => candidate.id === nodeId);
  if (node === undefined) {
    return [];
  }
  const left = await endNode(ports, cluster.name, node);
  if (node.state !== 'retired') {
    const after: NodeItem = { ...node, state: 'retired', builder: null };
    await clusterRegistry.replace(cluster.name, { kind: 'NODE', value: node }, { kind: 'NODE', value: after });
  }
  return left === null ? [] : [left];
}

/** The failed node stays silent; the next execution may begin with it. */
async function letGo({ clusterRegistry, cluster, nodes }: Scene, nodeId: string, builder: string): Promise<void> {
  const node = nodes.find((candidate) => candidate.id === nodeId);
  if (node?.builder === builder) {
    const after: NodeItem = { ...node, builder: null };
    await clusterRegistry.replace(cluster.name, { kind: 'NODE', value: node }, { kind: 'NODE', value: after });
  }
}

function addressOf({ cluster, nodes }: Scene, nodeId: string): DatabaseAddress {
  const node = nodes.find((candidate) => candidate.id === nodeId);
  return databaseOf(cluster, node ?? { id: nodeId, host: nodeId, port: cluster.port });
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  machines: machines(),
  managedDatabases: managedDatabases(),
  statusAlarms: statusAlarms(),
  dns: dns(),
  databases: databases(),
});
