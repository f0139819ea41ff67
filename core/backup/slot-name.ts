import { createHash } from 'node:crypto';
import { shardNumber } from '../cluster/names';

/**
 * The name of the slot that a backup's changes are captured from: `c0007e12b3fa9c1`, which is shard 7 at epoch 12 and six
 * digits made from the backup's id. The same backup always asks for the same slot.
 */
export function captureSlotName(shard: string, epoch: number, backup: string): string {
  const digits = createHash('sha256').update(backup).digest('hex').slice(0, 6);
  return `c${String(shardNumber(shard)).padStart(4, '0')}e${epoch}b${digits}`;
}
