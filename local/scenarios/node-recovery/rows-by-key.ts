import * as z from 'zod';
import { identifier, literal, qualified } from '../../../engines/postgresql/identifier';
import type { RowName, RowState } from '../../load/ledger';
import { ask, type CheckedServer } from './content';

const rowsAtOnce = 1_000;
const nameSchema = z.tuple([z.string(), z.string()], z.string());

interface NamedRow {
  readonly name: RowName;
  readonly key: readonly string[];
}

/** What a server holds of these rows, each named by schema, table and key: the digest of its text, looked up by its key. */
export async function statesOf(
  server: CheckedServer,
  rows: readonly RowName[],
): Promise<ReadonlyMap<RowName, RowState>> {
  const byTable = new Map<string, NamedRow[]>();
  for (const name of rows) {
    const [schema, table, ...key] = nameSchema.parse(JSON.parse(String(name)));
    const place = qualified(schema, table);
    const named = byTable.get(place) ?? [];
    named.push({ name, key });
    byTable.set(place, named);
  }
  const states = new Map<RowName, RowState>();
  for (const [table, named] of byTable) {
    const columns = await keyOf(server, table);
    for (let from = 0; from < named.length; from += rowsAtOnce) {
      const some = named.slice(from, from + rowsAtOnce);
      for (const { place, state } of await ask<{ place: number; state: string }>(server, query(table, columns, some))) {
        states.set(some[place]?.name ?? '', state);
      }
    }
  }
  return states;
}

interface KeyColumn {
  readonly name: string;
  readonly type: string;
}

/** The primary key of a table; no column where the table is not there. */
async function keyOf(server: CheckedServer, table: string): Promise<readonly KeyColumn[]> {
  return ask<KeyColumn>(
    server,
    `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type
       FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
       JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
      WHERE i.indrelid = to_regclass(${literal(table)}) AND i.indisprimary AND k.place <= i.indnkeyatts ORDER BY k.place`,
  );
}

function query(table: string, columns: readonly KeyColumn[], rows: readonly NamedRow[]): string {
  if (columns.length === 0) {
    return 'SELECT 0 AS place WHERE false';
  }
  const values = rows.map(({ key }, place) => `(${[String(place), ...key.map(literal)].join(', ')})`);
  const names = columns.map((_column, index) => `k${index}`);
  const same = columns.map(({ name, type }, index) => `t.${identifier(name)} = w.k${index}::${type}`);
  return `SELECT w.place, md5((t.*)::text) AS state
    FROM (VALUES ${values.join(', ')}) AS w (place, ${names.join(', ')}) JOIN ONLY ${table} AS t ON ${same.join(' AND ')}`;
}
