import type { Client } from 'pg';
import type { RowRange } from '../../core/cluster/manifest';
import { inTransaction } from './connection';

/** Runs `work`, which reads a range's rows, so that the server finds them by the key's index. */
export async function scanningRange<T>(client: Client, range: RowRange, work: () => Promise<T>): Promise<T> {
  return inTransaction(client, async () => {
    if (range.lowKey !== null || range.highKey !== null) {
      // Without statistics the server may think that a range is the greater part of its table, and read it all.
      await client.query('SET LOCAL enable_seqscan = off');
    }
    return work();
  });
}
