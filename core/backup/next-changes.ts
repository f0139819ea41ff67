import { comparePositions } from '../cluster/position';
import type { CapturedChanges, DatabaseAddress, DatabaseEngine } from '../ports/database-engine';

/** Log that an idle shard's slot may hold back before it is moved on without changes. */
const idleLagBytes = 16_777_216;

/**
 * The next changes of a slot, or null when there are none. A shard without writes of its own would hold back its node's
 * whole log, so from some lag on it gets changes without rows that only lead further. How far is read before a marker is
 * written, whose commit brings everything up to there to disk, where the peek that follows finds it.
 *
 * @throws SlotLost
 */
export async function nextChanges(
  databases: Pick<DatabaseEngine, 'slot' | 'peek' | 'position' | 'writeMarker'>,
  address: DatabaseAddress,
  order: { readonly slot: string; readonly shard: string; readonly maxBytes: number },
): Promise<CapturedChanges | null> {
  const changes = await databases.peek(address, order);
  if (changes !== null) {
    return changes;
  }
  const { lagBytes, confirmedTo } = await databases.slot(address, order.slot);
  if (lagBytes === null || lagBytes < idleLagBytes || confirmedTo === null) {
    return null;
  }
  const to = await databases.position(address);
  await databases.writeMarker(address, order.shard);
  const found = await databases.peek(address, order);
  if (found !== null || comparePositions(to, confirmedTo) <= 0) {
    return found;
  }
  return { body: Buffer.alloc(0), from: confirmedTo, to, rows: 0, transactions: 0, drained: true };
}
