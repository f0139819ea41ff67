import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { databaseOf } from '../../../core/cluster/cluster-registry';
import type { NodeItem } from '../../../core/cluster/items';
import { shardId, standbyName } from '../../../core/cluster/names';
import type { ClusterSettings } from '../../../core/cluster/settings';
import { RejoinError } from '../../../core/errors';
import type { DatabaseAddress, DatabaseEngine } from '../../../core/ports/database-engine';
import type { LocalCloud } from '../../control/local-cloud';
import type { MachineRoom } from '../../machines/machine-room';
import { findBinaries } from '../../postgresql/binaries';
import { makeStandby } from '../../postgresql/data-directory';

export interface ReplicatedOrder {
  readonly cluster: ClusterSettings;
  /** The primary first. */
  readonly nodes: readonly NodeItem[];
  /** Puts tables and rows on the primary. */
  readonly fill: (primary: DatabaseAddress, shard: string) => Promise<unknown>;
}

/**
 * Makes a replicated cluster out of empty servers, as its users have it, and registers it as they do: all rows on the
 * first node, every other one a standby made of a copy of it, and then the deployed state machine.
 */
export async function makeReplicatedCluster(
  world: {
    readonly room: MachineRoom;
    readonly engine: Pick<DatabaseEngine, 'standBehind'>;
    readonly cloud: LocalCloud;
  },
  { cluster, nodes, fill }: ReplicatedOrder,
): Promise<void> {
  const [first, ...others] = nodes;
  if (first === undefined) {
    throw new RejoinError('InvalidInput', 'a cluster needs nodes');
  }
  const primary = databaseOf(cluster, first);
  await fill(primary, shardId(0));
  const { user } = await findBinaries();
  const copy = join(world.room.directory, 'first-copy');
  await world.room.machine(first.machineId).copyTo(copy);
  for (const node of others) {
    const machine = world.room.machine(node.machineId);
    await machine.stopDatabase();
    await machine.refill(copy);
    await makeStandby(user, machine.dataDirectory);
    await machine.startDatabase();
    await world.engine.standBehind(databaseOf(cluster, node), { name: standbyName(node.id), primary });
  }
  await rm(copy, { recursive: true, force: true });
  await register(world.cloud, cluster.name);
}

async function register(cloud: LocalCloud, cluster: string): Promise<void> {
  const name = `${cluster}-first`;
  await cloud.executions.start({ machine: 'register-cluster', name, input: { cluster } });
  const execution = cloud.executions.all().find((each) => each.name === name);
  const { status, error, cause } = (await execution?.finished) ?? { status: 'FAILED', error: null, cause: 'not found' };
  if (status !== 'SUCCEEDED') {
    throw new RejoinError('ApiRefused', `cluster '${cluster}' could not be registered: ${error ?? ''} ${cause ?? ''}`);
  }
}
