import { readJson } from '../backup/json-object';
import { RejoinError } from '../errors';
import type { Objects } from '../ports/objects';
import { workOrderSchema, type WorkOrder, type WorkShard } from './work-order';

/** A shard's part of a work order. @throws NotFound; ManifestMismatch */
export async function readWorkShard(
  objects: Objects,
  workKey: string,
  shard: string,
): Promise<{ readonly order: WorkOrder; readonly work: WorkShard }> {
  const order = await readJson(objects, workKey, workOrderSchema);
  const work = order.shards.find((entry) => entry.shard === shard);
  if (work === undefined) {
    const named = order.shards.map((entry) => entry.shard).join(', ');
    throw new RejoinError('NotFound', `work order '${workKey}' has no ${shard} (it has ${named || 'none'})`);
  }
  return { order, work };
}
