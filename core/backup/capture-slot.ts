import type { ClusterRegistry } from '../cluster/cluster-registry';
import type { SlotItem } from '../cluster/items';
import type { LogPosition } from '../cluster/position';
import { comparePositions } from '../cluster/position';
import { isRejoinError } from '../errors';
import type { Clock } from '../ports/clock';
import type { CapturedChanges, DatabaseAddress, DatabaseEngine } from '../ports/database-engine';
import type { Objects } from '../ports/objects';
import type { Codec } from './codec';
import { nextChanges } from './next-changes';
import { lineageFolder } from './object-keys';
import { chainFrom } from './segment-chain';
import { decodeSegment, encodeSegment } from './segment-object';
import { listSpans } from './segment-list';

export interface CapturePorts {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly registry: ClusterRegistry;
  readonly backups: Objects;
  readonly databases: Pick<DatabaseEngine, 'slot' | 'peek' | 'advance' | 'position' | 'writeMarker'>;
  readonly codec: Codec;
}

export interface CaptureLimits {
  /** Changes read at once; a single transaction may exceed it. */
  readonly maxBytes: number;
  readonly maxSegments: number;
  /** Asked before each segment; false: leave the rest to the next capture. */
  readonly mayGoOn: () => boolean;
}

export type CaptureResult =
  | {
      readonly state: 'captured';
      readonly capturedTo: LogPosition;
      readonly segments: number;
      readonly rows: number;
      readonly bytes: number;
      /** Whether the slot had no more. */
      readonly drained: boolean;
    }
  /** Changes are missing for good: the lineage can't go on. */
  | { readonly state: 'lost'; readonly reason: string }
  /** Somebody ended the lineage on purpose. */
  | { readonly state: 'ended'; readonly reason: string };

/**
 * Captures a slot's changes into segments: peek, store, advance, record, until there are no more or a limit is reached.
 *
 * Whatever moment it dies at, a repetition goes on: before the store, nothing happened; after it, the object is there and
 * the repetition stores the same or an overlapping one (`chainFrom`); after the advance, the objects lead to where the
 * slot is, which is checked, and that is recorded.
 */
export async function captureSlot(
  ports: CapturePorts,
  cluster: string,
  address: DatabaseAddress,
  slotName: string,
  limits: CaptureLimits,
): Promise<CaptureResult> {
  const begun = await beginCapture(ports, cluster, address, slotName);
  if (begun.state !== 'usable') {
    return begun;
  }
  let item = begun.item;
  const done = { segments: 0, rows: 0, bytes: 0, drained: false };
  while (done.segments < limits.maxSegments && limits.mayGoOn()) {
    const lookedAtMs = ports.clock.nowMs();
    const changes = await nextChanges(ports.databases, address, {
      slot: item.name,
      shard: item.shard,
      maxBytes: limits.maxBytes,
    });
    if (changes === null) {
      done.drained = true;
      item = (await record(ports.registry, cluster, item, { capturedAtMs: lookedAtMs })) ?? item;
      break;
    }
    const storedBytes = await store(ports, cluster, item, changes);
    await ports.databases.advance(address, { slot: item.name, to: changes.to });
    const reached = { capturedTo: changes.to, ...(changes.drained ? { capturedAtMs: lookedAtMs } : {}) };
    const recorded = await record(ports.registry, cluster, item, reached);
    if (recorded === null) {
      return { state: 'ended', reason: `slot '${item.name}' was removed from the registry while it was captured` };
    }
    item = recorded;
    done.segments += 1;
    done.rows += changes.rows;
    done.bytes += storedBytes;
    if (changes.drained) {
      done.drained = true;
      break;
    }
  }
  return { state: 'captured', capturedTo: item.capturedTo, ...done };
}

type Begun = { readonly state: 'usable'; readonly item: SlotItem } | Exclude<CaptureResult, { state: 'captured' }>;

async function beginCapture(
  ports: CapturePorts,
  cluster: string,
  address: DatabaseAddress,
  slotName: string,
): Promise<Begun> {
  const slot = await ports.databases.slot(address, slotName);
  // Read after the slot was: whoever ends a lineage removes its item first.
  const item = await ports.registry.slot(cluster, slotName);
  if (item === null) {
    return { state: 'ended', reason: `slot '${slotName}' is no longer in the registry` };
  }
  if (slot.state !== 'usable' || slot.confirmedTo === null) {
    const what = slot.state === 'absent' ? 'is gone' : 'is lost: the server has removed log that it needed';
    return { state: 'lost', reason: `slot '${slotName}' on node '${address.nodeId}' ${what}` };
  }
  // A server that crashed may have gone back to an older position, which only means that segments overlap.
  if (comparePositions(slot.confirmedTo, item.capturedTo) <= 0) {
    return { state: 'usable', item };
  }
  const { end } = chainFrom(await listSpans(ports.backups, lineageFolder(cluster, item)), item.capturedTo);
  if (comparePositions(end, slot.confirmedTo) < 0) {
    return {
      state: 'lost',
      reason: `slot '${slotName}' on node '${address.nodeId}' was advanced to ${slot.confirmedTo}, and the stored segments end at ${end}: somebody else reads it`,
    };
  }
  const recorded = await record(ports.registry, cluster, item, { capturedTo: slot.confirmedTo });
  return recorded === null
    ? { state: 'ended', reason: `slot '${slotName}' is no longer in the registry` }
    : { state: 'usable', item: recorded };
}

/** Stores a segment once. @returns its size */
async function store(ports: CapturePorts, cluster: string, item: SlotItem, changes: CapturedChanges): Promise<number> {
  const { segment, stored } = await encodeSegment(
    ports.codec,
    { cluster, shard: item.shard, epoch: item.epoch },
    changes,
  );
  try {
    await ports.backups.write(segment.key, stored, { ifAbsent: true });
  } catch (thrown) {
    if (!isRejoinError(thrown, 'ConditionFailed')) {
      throw thrown;
    }
    // An earlier capture of the same range. Should its object be damaged, the slot still has what belongs there.
    if (!(await isWhole(ports, cluster, segment.key))) {
      await ports.backups.write(segment.key, stored);
    }
  }
  return stored.length;
}

async function isWhole(ports: CapturePorts, cluster: string, key: string): Promise<boolean> {
  try {
    await decodeSegment(ports.codec, cluster, key, await ports.backups.read(key));
    return true;
  } catch (thrown) {
    if (isRejoinError(thrown, 'ChunkDamaged')) {
      return false;
    }
    throw thrown;
  }
}

/** Records how far a slot is captured; never goes back. @returns the item as it is now, null when it was removed */
async function record(
  registry: ClusterRegistry,
  cluster: string,
  item: SlotItem,
  reached: { readonly capturedTo?: LogPosition; readonly capturedAtMs?: number },
): Promise<SlotItem | null> {
  let before: SlotItem | null = item;
  while (before !== null) {
    const after = further(before, reached);
    if (after === before) {
      return before;
    }
    try {
      await registry.replace(cluster, { kind: 'SLOT', value: before }, { kind: 'SLOT', value: after });
      return after;
    } catch (thrown) {
      if (!isRejoinError(thrown, 'ConditionFailed')) {
        throw thrown;
      }
      before = await registry.slot(cluster, item.name);
    }
  }
  return before;
}

function further(
  item: SlotItem,
  reached: { readonly capturedTo?: LogPosition; readonly capturedAtMs?: number },
): SlotItem {
  const { capturedTo, capturedAtMs } = reached;
  const moved = capturedTo !== undefined && comparePositions(item.capturedTo, capturedTo) < 0;
  const later = capturedAtMs !== undefined && capturedAtMs > (item.capturedAtMs ?? 0);
  if (!moved && !later) {
    return item;
  }
  return { ...item, ...(moved ? { capturedTo } : {}), ...(later ? { capturedAtMs } : {}) };
}
