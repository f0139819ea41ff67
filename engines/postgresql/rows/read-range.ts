import type { Client } from 'pg';
import type { RowRange } from '../../../core/cluster/manifest';
import { RejoinError } from '../../../core/errors';
import { copyOut } from '../copy';
import { identifier } from '../identifier';
import { rangeCondition } from '../key-range';
import { scanningRange } from '../range-scan';
import { tableFacts } from '../table-facts';

const newline = 0x0a;

/**
 * Reads a range's rows in COPY text format by one statement, which sees one moment and keeps no lock for longer. Holds at
 * most `maxBytes` in memory, and what the connection has just brought.
 *
 * @throws SqlFailed when there are more
 */
export async function readRange(
  client: Client,
  order: { readonly range: RowRange; readonly columns: readonly string[]; readonly maxBytes: number },
): Promise<{ readonly body: Buffer; readonly rows: number }> {
  const { range, columns, maxBytes } = order;
  const table = await tableFacts(client, range.schema, range.table);
  const list = columns.map((name) => `t.${identifier(name)}`).join(', ');
  const condition = rangeCondition(table, range, 't');
  // Memory that was never written to takes no room, so the largest allowed is asked for once and never copied.
  const body = Buffer.allocUnsafeSlow(maxBytes);
  let length = 0;
  let rows = 0;
  await scanningRange(client, range, async () => {
    await copyOut(
      client,
      `COPY (SELECT ${list} FROM ONLY ${table.name} AS t WHERE ${condition}) TO STDOUT`,
      (piece) => {
        if (length + piece.length > maxBytes) {
          throw tooLarge(range, maxBytes);
        }
        piece.copy(body, length);
        length += piece.length;
        rows += countLines(piece);
        return 'more';
      },
    );
  });
  return { body: body.subarray(0, length), rows };
}

/** Each row ends with a newline, and none within it stands unescaped. */
function countLines(piece: Buffer): number {
  let lines = 0;
  for (let at = piece.indexOf(newline); at >= 0; at = piece.indexOf(newline, at + 1)) {
    lines += 1;
  }
  return lines;
}

function tooLarge(range: RowRange, maxBytes: number): RejoinError {
  const bound = (key: readonly string[] | null): string => (key === null ? 'the end' : `(${key.join(', ')})`);
  return new RejoinError(
    'SqlFailed',
    `rows of table '${range.schema}.${range.table}' from ${bound(range.lowKey)} to ${bound(range.highKey)} exceed ${maxBytes} bytes; plan the ranges again, or raise bytesPerChunk`,
  );
}
