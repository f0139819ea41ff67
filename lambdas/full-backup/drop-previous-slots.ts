import * as z from 'zod';
import { lz4 } from '../../adapters/codec';
import { backups, databases, registry, settings, stepPorts } from '../../adapters/ports';
import { awaitCaptureLease } from '../../core/backup/capture-lease';
import { captureSlot } from '../../core/backup/capture-slot';
import type { Codec } from '../../core/backup/codec';
import { removeSlotItem } from '../../core/backup/remove-backup';
import { captureSlotName } from '../../core/backup/slot-name';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { SlotItem } from '../../core/cluster/items';
import { isRejoinError, RejoinError } from '../../core/errors';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { defineStep, type StepContext, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly backups: Objects;
  readonly databases: Pick<DatabaseEngine, 'slot' | 'peek' | 'advance' | 'position' | 'writeMarker' | 'dropSlot'>;
  readonly codec: Codec;
}

const inputSchema = z.strictObject({ cluster: z.string(), backup: z.string() });

/** As long as the call may take. */
const leaseMs = 900_000;
const leaseWaitMs = 180_000;
/** Left for dropping and the answer. */
const reserveMs = 30_000;

/**
 * Drops the slots of earlier backups, now that this one is verified. What they still hold is captured first, so that the
 * segments of an earlier backup lead into this one's: both have the same folder while the primary stays.
 *
 * @throws LeaseHeld when captures did not end
 */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'drop-previous-slots', input: inputSchema, effect: 'changes' }, async (input, context) => {
    const { cluster, backup } = input;
    const lease = await awaitCaptureLease(ports, cluster, context.run, { durationMs: leaseMs, waitMs: leaseWaitMs });
    if (lease === null) {
      throw new RejoinError(
        'LeaseHeld',
        `changes of cluster '${cluster}' were captured all the time for ${leaseWaitMs / 1_000} s`,
      );
    }
    try {
      const clusters = new ClusterRegistry(ports.registry);
      const slots = await clusters.slots(cluster);
      const previous = slots.filter((slot) => slot.name !== captureSlotName(slot.shard, slot.epoch, backup));
      const dropped: string[] = [];
      for (const slot of previous) {
        if (await dropSlot(ports, clusters, { cluster, slot }, context)) {
          dropped.push(slot.name);
        }
      }
      return { dropped };
    } finally {
      await ports.leases.release(lease);
    }
  });

/** @returns false when its node can't be reached: the change capture finds out whether it is gone for good */
async function dropSlot(
  ports: Ports,
  clusters: ClusterRegistry,
  { cluster, slot }: { readonly cluster: string; readonly slot: SlotItem },
  context: StepContext,
): Promise<boolean> {
  try {
    const address = await new AddressBook(clusters, ports.settings).of(cluster, slot.nodeId);
    const { bytesPerChunk } = (await ports.settings.cluster(cluster)).backup;
    await captureSlot({ ...ports, registry: clusters }, cluster, address, slot.name, {
      maxBytes: bytesPerChunk,
      maxSegments: 100,
      mayGoOn: () => context.remainingMs() > reserveMs,
    });
    await ports.databases.dropSlot(address, slot.name);
  } catch (thrown) {
    if (isRejoinError(thrown, 'SqlUnavailable') || isRejoinError(thrown, 'NotFound')) {
      return false;
    }
    throw thrown;
  }
  await removeSlotItem(clusters, cluster, slot);
  return true;
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  backups: backups(),
  databases: databases(),
  codec: lz4,
});
