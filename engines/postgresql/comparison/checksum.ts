import type { Client } from 'pg';
import type { RowRange } from '../../../core/cluster/manifest';
import type { RowChecksum } from '../../../core/ports/database-engine';
import { rangeCondition } from '../key-range';
import { scanningRange } from '../range-scan';
import { tableFacts } from '../table-facts';
import { rowMd5 } from './row-text';

const modulus = '18446744073709551616';

/**
 * Sums do not depend on the order of rows, so the server may read them as it likes, in parallel too. A half is added up as
 * a signed number, which is the same modulo 2^64.
 */
export async function checksum(client: Client, range: RowRange): Promise<RowChecksum> {
  const table = await tableFacts(client, range.schema, range.table);
  const { rows } = await scanningRange(client, range, () =>
    client.query<RowChecksum>(
      `SELECT count(*)::float8 AS "rows", ${sumOf('left(md5, 16)')} AS "high", ${sumOf('right(md5, 16)')} AS "low"
         FROM (SELECT ${rowMd5(table)} AS md5 FROM ONLY ${table.name} AS t
                WHERE ${rangeCondition(table, range, 't')}) AS digests`,
    ),
  );
  return rows[0] ?? { rows: 0, high: '0', low: '0' };
}

/** The sum modulo 2^64, as decimal text, of numbers in hexadecimal digits. */
function sumOf(digits: string): string {
  const sum = `coalesce(sum(('x' || ${digits})::bit(64)::int8), 0)`;
  return `mod(mod(${sum}, ${modulus}) + ${modulus}, ${modulus})::text`;
}
