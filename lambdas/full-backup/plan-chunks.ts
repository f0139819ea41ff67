import * as z from 'zod';
import { backups, databases, registry, settings, stepPorts } from '../../adapters/ports';
import { lz4 } from '../../adapters/codec';
import type { Codec } from '../../core/backup/codec';
import { writeJson } from '../../core/backup/json-object';
import { BackupKeys } from '../../core/backup/object-keys';
import type { PlannedChunk, ShardPlan } from '../../core/backup/plan';
import { captureSlotName } from '../../core/backup/slot-name';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { Shard, SlotItem } from '../../core/cluster/items';
import { replicationName } from '../../core/cluster/names';
import { comparePositions } from '../../core/cluster/position';
import { RejoinError } from '../../core/errors';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly backups: Objects;
  readonly databases: Pick<DatabaseEngine, 'followerState' | 'planRanges'>;
  readonly codec: Codec;
}

const inputSchema = z.strictObject({ cluster: z.string(), backup: z.string(), shards: z.array(z.string()) });

/** How long all followers of a group may take until they have applied their slot's start. */
const followerWaitMs = 60_000;
const betweenMs = 250;

/**
 * Decides, shard by shard, which node's rows are read and in which ranges. The follower is spared nothing but the primary
 * everything: a follower is read as soon as it has applied what the slot's start needs, else the primary.
 *
 * @throws SlotLost when a shard was promoted since its slot was opened
 */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'plan-chunks', input: inputSchema, effect: 'changes' }, async (input) => {
    const clusters = new ClusterRegistry(ports.registry);
    const addresses = new AddressBook(clusters, ports.settings);
    const untilMs = ports.clock.nowMs() + followerWaitMs;
    let chunks = 0;
    const readFrom: Record<string, string> = {};
    for (const id of input.shards) {
      const shard = await clusters.shard(input.cluster, id);
      const slot = await slotOf(clusters, input.cluster, shard, input.backup);
      const node = await nodeToRead(ports, addresses, { cluster: input.cluster, shard, slot }, untilMs);
      const plan = await planShard(ports, addresses, { ...input, shard, slot, node });
      await writeJson(ports.backups, new BackupKeys(input.cluster, input.backup).plan(id), plan);
      chunks += plan.chunks.length;
      readFrom[id] = node;
    }
    return { chunks, readFrom };
  });

async function slotOf(clusters: ClusterRegistry, cluster: string, shard: Shard, backup: string): Promise<SlotItem> {
  const name = captureSlotName(shard.id, shard.epoch, backup);
  const slot = await clusters.slot(cluster, name);
  if (slot?.nodeId !== shard.primary) {
    throw new RejoinError(
      'SlotLost',
      `slot '${name}' of ${shard.id} is not on its primary '${shard.primary}' any more: the shard was promoted, or the slot lost, while the backup ran`,
    );
  }
  return slot;
}

async function nodeToRead(
  ports: Ports,
  addresses: AddressBook,
  about: { readonly cluster: string; readonly shard: Shard; readonly slot: SlotItem },
  untilMs: number,
): Promise<string> {
  const { cluster, shard, slot } = about;
  if (shard.follower === null || shard.state !== 'in sync') {
    return shard.primary;
  }
  const primary = await addresses.of(cluster, shard.primary);
  for (;;) {
    const { flushedTo } = await ports.databases.followerState(primary, replicationName(shard.id, shard.epoch));
    if (flushedTo !== null && comparePositions(flushedTo, slot.openedAt) >= 0) {
      return shard.follower;
    }
    if (ports.clock.nowMs() >= untilMs) {
      return shard.primary;
    }
    await ports.clock.sleep(betweenMs);
  }
}

async function planShard(
  ports: Ports,
  addresses: AddressBook,
  order: {
    readonly cluster: string;
    readonly backup: string;
    readonly shard: Shard;
    readonly slot: SlotItem;
    readonly node: string;
  },
): Promise<ShardPlan> {
  const { cluster, backup, shard, slot, node } = order;
  const keys = new BackupKeys(cluster, backup);
  const { rowsPerChunk, bytesPerChunk } = (await ports.settings.cluster(cluster)).backup;
  const ranges = await ports.databases.planRanges(await addresses.of(cluster, node), {
    schemas: shard.schemas,
    rowsPerChunk,
    bytesPerChunk,
  });
  const tried = new Set<string>();
  const chunks = ranges.map(({ range, columns }, number): PlannedChunk => {
    const table = JSON.stringify([range.schema, range.table]);
    const isFirst = !tried.has(table);
    tried.add(table);
    const key = keys.chunk(shard.id, range, number, ports.codec.name);
    return { shard: shard.id, number, key, range, columns: [...columns], readFrom: node, tried: isFirst };
  });
  return {
    shard: shard.id,
    epoch: shard.epoch,
    primary: shard.primary,
    slot: slot.name,
    changesFrom: slot.openedAt,
    schemaKey: keys.schema(shard.id),
    chunks,
  };
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  backups: backups(),
  databases: databases(),
  codec: lz4,
});
