import type { ClusterRegistry } from '../cluster/cluster-registry';
import type { AddressBook } from '../cluster/address-book';
import type { SlotItem } from '../cluster/items';
import { isRejoinError } from '../errors';
import type { DatabaseEngine } from '../ports/database-engine';
import type { Objects } from '../ports/objects';
import { BackupKeys } from './object-keys';
import { captureSlotName } from './slot-name';

export interface RemovalPorts {
  readonly registry: ClusterRegistry;
  readonly addresses: AddressBook;
  readonly backups: Objects;
  readonly databases: Pick<DatabaseEngine, 'dropSlot'>;
}

/** Keys removed in one request. */
const keysAtOnce = 500;

/** Removes everything below a folder. */
export async function removeFolder(objects: Objects, folder: string): Promise<number> {
  const keys: string[] = [];
  for await (const { key } of objects.list(folder)) {
    keys.push(key);
  }
  for (let from = 0; from < keys.length; from += keysAtOnce) {
    await objects.remove(keys.slice(from, from + keysAtOnce));
  }
  return keys.length;
}

/** Removes a backup's objects, manifest first: what has no manifest can't be taken for a backup. */
export async function removeObjects(objects: Objects, cluster: string, backup: string): Promise<void> {
  const keys = new BackupKeys(cluster, backup);
  await objects.remove([keys.manifest]);
  await removeFolder(objects, keys.folder);
}

/**
 * Drops the slots that a backup opened. Their items go first, so that a capture that runs now sees an end, not a loss. Slots
 * are known by name even without an item: a run may have died between the two.
 *
 * @returns the slots on nodes that could not be reached; they end with their node, or with a later call
 */
export async function dropSlotsOf(ports: RemovalPorts, cluster: string, backup: string): Promise<readonly string[]> {
  const places = new Map<string, string>();
  for (const shard of await ports.registry.shards(cluster)) {
    places.set(captureSlotName(shard.id, shard.epoch, backup), shard.primary);
  }
  for (const slot of await ports.registry.slots(cluster)) {
    if (slot.name === captureSlotName(slot.shard, slot.epoch, backup)) {
      places.set(slot.name, slot.nodeId);
      await removeSlotItem(ports.registry, cluster, slot);
    }
  }
  const unreachable: string[] = [];
  for (const [name, nodeId] of places) {
    try {
      await ports.databases.dropSlot(await ports.addresses.of(cluster, nodeId), name);
    } catch (thrown) {
      if (!isRejoinError(thrown, 'SqlUnavailable') && !isRejoinError(thrown, 'NotFound')) {
        throw thrown;
      }
      unreachable.push(name);
    }
  }
  return unreachable;
}

/** Removes a slot's item, whatever was recorded in it meanwhile. */
export async function removeSlotItem(registry: ClusterRegistry, cluster: string, slot: SlotItem): Promise<void> {
  for (let item: SlotItem | null = slot; item !== null; item = await registry.slot(cluster, slot.name)) {
    try {
      await registry.remove(cluster, { kind: 'SLOT', value: item });
      return;
    } catch (thrown) {
      if (!isRejoinError(thrown, 'ConditionFailed')) {
        throw thrown;
      }
    }
  }
}

/** Removes a backup's item. Absent ones are no error. */
export async function removeBackupItem(registry: ClusterRegistry, cluster: string, backup: string): Promise<void> {
  for (
    let item = await registry.backup(cluster, backup);
    item !== null;
    item = await registry.backup(cluster, backup)
  ) {
    try {
      await registry.remove(cluster, { kind: 'BACKUP', value: item });
      return;
    } catch (thrown) {
      if (!isRejoinError(thrown, 'ConditionFailed')) {
        throw thrown;
      }
    }
  }
}
