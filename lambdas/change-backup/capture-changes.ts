import * as z from 'zod';
import { lz4 } from '../../adapters/codec';
import { backups, databases, registry, settings, stepPorts } from '../../adapters/ports';
import { captureSlot } from '../../core/backup/capture-slot';
import type { Captured } from '../../core/backup/captured';
import type { Codec } from '../../core/backup/codec';
import { removeSlotItem } from '../../core/backup/remove-backup';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { SlotItem } from '../../core/cluster/items';
import { isRejoinError, messageOf } from '../../core/errors';
import { leaseSchema } from '../../core/lease/lease';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly backups: Objects;
  readonly databases: Pick<
    DatabaseEngine,
    'slot' | 'peek' | 'advance' | 'position' | 'writeMarker' | 'dropSlot' | 'retention'
  >;
  readonly codec: Codec;
}

const inputSchema = z.strictObject({
  cluster: z.string(),
  lease: leaseSchema,
  /** Names of slots. */
  slots: z.array(z.string()),
});

/** Segments of one slot in one run: what remains is for the next minute's, so that no slot starves the others. */
const maxSegments = 200;
/** Left for the segment that was begun, and the answer. */
const reserveMs = 60_000;

/**
 * Captures what slots have into segments: peek, store, advance, record. A lineage ends where the shard's primary changed or
 * the server removed log that the slot needed; what is captured after would not fit on what was before.
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'capture-changes', input: inputSchema, effect: 'changes', lease: ({ lease }) => lease },
    async ({ cluster, slots }, context) => {
      const clusters = new ClusterRegistry(ports.registry);
      const captured: Captured[] = [];
      for (const name of slots) {
        const slot = await clusters.slot(cluster, name);
        if (slot !== null) {
          const mayGoOn = (): boolean => context.remainingMs() > reserveMs;
          captured.push(await capture(ports, clusters, { cluster, slot }, mayGoOn));
        }
      }
      return { captured };
    },
  );

interface Order {
  readonly cluster: string;
  readonly slot: SlotItem;
}

async function capture(
  ports: Ports,
  clusters: ClusterRegistry,
  { cluster, slot }: Order,
  mayGoOn: () => boolean,
): Promise<Captured> {
  const nothing = { shard: slot.shard, slot: slot.name, segments: 0, rows: 0, bytes: 0, retention: null };
  try {
    const { primary, epoch } = await clusters.shard(cluster, slot.shard);
    if (primary !== slot.nodeId) {
      const reason = `node '${primary}' is the primary of ${slot.shard} since epoch ${epoch}, not '${slot.nodeId}'`;
      await endLineage(ports, clusters, { cluster, slot });
      return { ...nothing, state: 'lineage ended', reason };
    }
    const address = await new AddressBook(clusters, ports.settings).of(cluster, slot.nodeId);
    const { bytesPerChunk } = (await ports.settings.cluster(cluster)).backup;
    const limits = { maxBytes: bytesPerChunk, maxSegments, mayGoOn };
    const result = await captureSlot({ ...ports, registry: clusters }, cluster, address, slot.name, limits);
    if (result.state === 'captured') {
      const { segments, rows, bytes } = result;
      const retention = { nodeId: slot.nodeId, ...(await ports.databases.retention(address)) };
      return { ...nothing, state: 'captured', reason: null, segments, rows, bytes, retention };
    }
    if (result.state === 'lost') {
      await endLineage(ports, clusters, { cluster, slot });
    }
    return { ...nothing, state: 'lineage ended', reason: result.reason };
  } catch (thrown) {
    // One node's trouble must not keep the others' changes from storage.
    if (
      isRejoinError(thrown, 'SqlUnavailable') ||
      isRejoinError(thrown, 'SqlFailed') ||
      isRejoinError(thrown, 'NotFound')
    ) {
      return { ...nothing, state: 'not captured', reason: messageOf(thrown) };
    }
    throw thrown;
  }
}

/**
 * A slot that nobody reads would hold back its node's log until the disk is full. One on a node that is dead, or no longer a
 * member, ends with it.
 */
async function endLineage(ports: Ports, clusters: ClusterRegistry, { cluster, slot }: Order): Promise<void> {
  try {
    const address = await new AddressBook(clusters, ports.settings).of(cluster, slot.nodeId);
    await ports.databases.dropSlot(address, slot.name);
  } catch (thrown) {
    if (!isRejoinError(thrown, 'SqlUnavailable') && !isRejoinError(thrown, 'NotFound')) {
      throw thrown;
    }
  }
  await removeSlotItem(clusters, cluster, slot);
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  backups: backups(),
  databases: databases(),
  codec: lz4,
});
