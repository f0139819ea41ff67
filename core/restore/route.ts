import type { AddressBook } from '../cluster/address-book';
import type { ClusterRegistry } from '../cluster/cluster-registry';
import { RejoinError } from '../errors';
import type { Settings } from '../ports/surroundings';
import type { ShardRoute } from './catch-up';
import type { Replacement, RestoreSlot } from './work-order';

/**
 * The way of a shard's changes from its primary to the replacement.
 *
 * @throws SlotLost when the shard has another primary by now: the slot's log is no longer the shard's
 */
export async function routeOf(
  world: { readonly clusters: ClusterRegistry; readonly addresses: AddressBook; readonly settings: Settings },
  order: { readonly cluster: string; readonly slot: RestoreSlot; readonly replacement: Replacement },
): Promise<ShardRoute> {
  const { cluster, slot, replacement } = order;
  const { primary, epoch } = await world.clusters.shard(cluster, slot.shard);
  if (primary !== slot.primary) {
    throw new RejoinError(
      'SlotLost',
      `slot '${slot.slot}' is on node '${slot.primary}', but since epoch ${epoch} node '${primary}' is the primary of ${slot.shard}; the shard has to start again with a new slot and new rows`,
    );
  }
  const { backup } = await world.settings.cluster(cluster);
  return {
    shard: slot.shard,
    slot: slot.slot,
    source: await world.addresses.of(cluster, primary),
    target: await world.addresses.at(cluster, replacement),
    maxBytes: backup.bytesPerChunk,
  };
}
