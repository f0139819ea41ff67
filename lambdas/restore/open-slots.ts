import * as z from 'zod';
import { lz4 } from '../../adapters/codec';
import { backups, databases, registry, settings, stepPorts } from '../../adapters/ports';
import { awaitCaptureLease } from '../../core/backup/capture-lease';
import { captureSlot } from '../../core/backup/capture-slot';
import type { Codec } from '../../core/backup/codec';
import { readJson } from '../../core/backup/json-object';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import { replicationName } from '../../core/cluster/names';
import { RejoinError } from '../../core/errors';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { restoreSlotSchema, workOrderSchema, type RestoreSlot, type WorkShard } from '../../core/restore/work-order';
import { defineStep, type StepContext, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly backups: Objects;
  readonly databases: Pick<
    DatabaseEngine,
    'openSlot' | 'slot' | 'dropSlot' | 'peek' | 'advance' | 'position' | 'writeMarker'
  >;
  readonly codec: Codec;
}

const inputSchema = z.strictObject({
  cluster: z.string(),
  workKey: z.string(),
  /** Grows when shards start again: the answers of an earlier attempt are none for this one. */
  attempt: z.int().min(1),
  /** Slots of shards that did not have to start again. */
  kept: z.array(restoreSlotSchema),
});

/** Slots of the failed node go back so many epochs: each promotion or loss of a follower is one. */
const epochsBack = 4;
const captureLeaseMs = 120_000;
/** How long another capture is waited for; it takes seconds. */
const captureWaitMs = 30_000;
/** Left for the answer. */
const reserveMs = 15_000;

/**
 * Opens, on each shard's survivor, the slot that its changes come out of from now on, and drops the slots that the failed
 * node read. Then captures what the backup's own slots still hold, where these are on a survivor, so that the stored
 * segments lead up to the new slots without a gap.
 *
 * @throws SlotLost when a new slot is lost as soon as it is made
 */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'open-slots', input: inputSchema, effect: 'changes' }, async (input, context) => {
    const order = await readJson(ports.backups, input.workKey, workOrderSchema);
    const clusters = new ClusterRegistry(ports.registry);
    const addresses = new AddressBook(clusters, ports.settings);
    const owned = order.shards.filter((shard) => shard.owned);
    const slots: RestoreSlot[] = [];
    for (const shard of owned) {
      if (shard.survivor !== null) {
        slots.push(await openSlot(ports, addresses, input.cluster, { ...shard, survivor: shard.survivor }));
      }
    }
    await captureLineages(ports, { clusters, addresses, cluster: input.cluster, shards: owned }, context);
    const opened = new Set(slots.map((slot) => slot.shard));
    return { slots: [...input.kept.filter((slot) => !opened.has(slot.shard)), ...slots] };
  });

type Survived = WorkShard & { readonly survivor: string };

async function openSlot(ports: Ports, addresses: AddressBook, cluster: string, work: Survived): Promise<RestoreSlot> {
  const { shard, schemas, epoch, slot } = work;
  const address = await addresses.of(cluster, work.survivor);
  for (let back = 1; back <= epochsBack && back < epoch; back += 1) {
    await ports.databases.dropSlot(address, replicationName(shard, epoch - back));
  }
  const from = await ports.databases.openSlot(address, { slot, shard, schemas });
  const { state } = await ports.databases.slot(address, slot);
  if (state !== 'usable') {
    throw new RejoinError(
      'SlotLost',
      `slot '${slot}' on node '${work.survivor}' is ${state} although it was just opened`,
    );
  }
  return { shard, slot, primary: work.survivor, from };
}

interface Lineages {
  readonly clusters: ClusterRegistry;
  readonly addresses: AddressBook;
  readonly cluster: string;
  readonly shards: readonly WorkShard[];
}

/** What can't be captured now is no harm: the comparison of rows finds and repairs what it would have told. */
async function captureLineages(ports: Ports, work: Lineages, context: StepContext): Promise<void> {
  const alive = work.shards.filter(
    (shard): shard is Survived => shard.survivor !== null && shard.lineage?.primary === shard.survivor,
  );
  if (alive.length === 0) {
    return;
  }
  const lease = await awaitCaptureLease(ports, work.cluster, context.run, {
    durationMs: captureLeaseMs,
    waitMs: Math.min(captureWaitMs, context.remainingMs() / 2),
  });
  if (lease === null) {
    return;
  }
  try {
    const { backup } = await ports.settings.cluster(work.cluster);
    for (const { lineage, survivor } of alive) {
      if (lineage !== null) {
        const address = await work.addresses.of(work.cluster, survivor);
        await captureSlot({ ...ports, registry: work.clusters }, work.cluster, address, lineage.slot, {
          maxBytes: backup.bytesPerChunk,
          maxSegments: 1_000,
          mayGoOn: () => context.remainingMs() > reserveMs,
        });
      }
    }
  } finally {
    await ports.leases.release(lease);
  }
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  backups: backups(),
  databases: databases(),
  codec: lz4,
});
