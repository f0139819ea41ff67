import * as z from 'zod';
import { backups, databases, registry, settings, stepPorts } from '../../adapters/ports';
import { writeJson } from '../../core/backup/json-object';
import { BackupKeys } from '../../core/backup/object-keys';
import { captureSlotName } from '../../core/backup/slot-name';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { SlotItem } from '../../core/cluster/items';
import { isRejoinError } from '../../core/errors';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly backups: Objects;
  readonly databases: Pick<DatabaseEngine, 'describe' | 'openSlot'>;
}

const inputSchema = z.strictObject({ cluster: z.string(), backup: z.string(), shards: z.array(z.string()) });

/**
 * Opens a change slot on each shard's primary before any of its rows is read, and describes its tables. From then on the
 * change capture finds the slot in the registry.
 *
 * @throws PreflightRefused when a table can't be restored by rows; SlotLost when a promotion came between two calls
 */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'open-slots', input: inputSchema, effect: 'changes' }, async (input) => {
    const { cluster, backup } = input;
    const clusters = new ClusterRegistry(ports.registry);
    const addresses = new AddressBook(clusters, ports.settings);
    const slots: string[] = [];
    for (const id of input.shards) {
      const { schemas, epoch, primary } = await clusters.shard(cluster, id);
      const address = await addresses.of(cluster, primary);
      const schema = await ports.databases.describe(address, schemas);
      await writeJson(ports.backups, new BackupKeys(cluster, backup).schema(id), schema);
      const name = captureSlotName(id, epoch, backup);
      const openedAt = await ports.databases.openSlot(address, { slot: name, shard: id, schemas });
      await register(clusters, cluster, { name, shard: id, epoch, nodeId: primary, openedAt, capturedTo: openedAt });
      slots.push(name);
    }
    return { slots };
  });

/** What is there already is from an earlier call of this step; captures may have moved it on since. */
async function register(clusters: ClusterRegistry, cluster: string, value: SlotItem): Promise<void> {
  try {
    await clusters.add(cluster, { kind: 'SLOT', value });
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
  backups: backups(),
  databases: databases(),
});
