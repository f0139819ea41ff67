import * as z from 'zod';
import { databases, registry, settings, stepPorts } from '../../adapters/ports';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import { RejoinError } from '../../core/errors';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { replacementSchema, restoreSlotSchema, type RestoreSlot } from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly databases: Pick<DatabaseEngine, 'slot' | 'dropSlot' | 'dropShard'>;
}

const inputSchema = z.strictObject({
  cluster: z.string(),
  replacement: replacementSchema,
  slots: z.array(restoreSlotSchema),
  /** 1: these shards have not started again yet. */
  attempt: z.int().min(1),
  /** What the state that failed said. */
  cause: z.string(),
});

/**
 * Finds the shards whose slot is lost and removes them from the replacement, so that they start again with a new slot and
 * new rows. Never goes on with the old rows: changes are missing between them and anything that comes later.
 *
 * @throws SlotLost when shards have started again before
 */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'restart-shards', input: inputSchema, effect: 'changes' }, async (input) => {
    if (input.attempt > 1) {
      throw new RejoinError(
        'SlotLost',
        `a slot was lost again after its shard had started again (${input.cause.slice(0, 300)}); raise max_slot_wal_keep_size on the survivors before the next try`,
      );
    }
    const clusters = new ClusterRegistry(ports.registry);
    const addresses = new AddressBook(clusters, ports.settings);
    const target = await addresses.at(input.cluster, input.replacement);
    const lost: string[] = [];
    const kept: RestoreSlot[] = [];
    for (const slot of input.slots) {
      const { primary, schemas } = await clusters.shard(input.cluster, slot.shard);
      const source = await addresses.of(input.cluster, primary);
      const usable = primary === slot.primary && (await ports.databases.slot(source, slot.slot)).state === 'usable';
      if (usable) {
        kept.push(slot);
        continue;
      }
      await ports.databases.dropSlot(source, slot.slot);
      await ports.databases.dropShard(target, { shard: slot.shard, schemas });
      lost.push(slot.shard);
    }
    if (lost.length === 0) {
      throw new RejoinError('SlotLost', `no slot is lost now, though one was said to be: ${input.cause.slice(0, 300)}`);
    }
    return { shards: lost, kept, attempt: input.attempt + 1, reason: `the slots of ${lost.join(', ')} are lost` };
  });

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  databases: databases(),
});
