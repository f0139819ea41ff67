import type { Client } from 'pg';
import type { RowRange } from '../../../core/cluster/manifest';
import { isRejoinError } from '../../../core/errors';
import { identifier } from '../identifier';
import { shardTables } from '../shard-tables';
import { storedColumns, tableFacts, type ColumnFacts, type TableFacts } from '../table-facts';
import { mergeGroups, type RowGroup } from './merge-groups';

/** Pages of a table's rows up to which all of them are read to cut it: 40 MB. */
const smallTablePages = 5_120;
/** Pages that are read of each range's worth of a larger table: about 14 % deviation, as neighbours lie together. */
const pagesPerRange = 48;
const pageBytes = 8_192;
/** The most rows that fit on a page. */
const maxRowsPerPage = 226;
/** Ranges are made of this many groups or more, so that they come close to their limits. */
const groupsPerRange = 8;
/** Room left for what is not counted: escapes, and rows that grow before they are read. */
const fullScanFill = 0.85;
/** As above, and for the sample's deviation. */
const sampleFill = 0.6;
/** A larger value may lie beside its row; as text it is about three times as long as stored. */
const largeValueBytes = 1_000;

export interface RangeLimits {
  readonly rowsPerChunk: number;
  readonly bytesPerChunk: number;
}

export interface PlannedRange {
  readonly range: RowRange;
  readonly columns: readonly string[];
}

/** Cuts each of the shard's tables into ranges; see `planTable`. */
export async function planRanges(
  client: Client,
  order: RangeLimits & { readonly schemas: readonly string[]; readonly withoutKey?: 'refused' | 'left out' },
): Promise<readonly PlannedRange[]> {
  const planned: PlannedRange[] = [];
  for (const { schema, table } of await shardTables(client, order.schemas)) {
    const facts = await tableFacts(client, schema, table).catch((thrown: unknown) => {
      if (order.withoutKey === 'left out' && isRejoinError(thrown, 'PreflightRefused')) {
        return null;
      }
      throw thrown;
    });
    if (facts !== null) {
      planned.push(...(await planTable(client, facts, order)));
    }
  }
  return planned;
}

/**
 * Cuts a table at keys between which there are about as many rows, and rows' text sizes, as the limits say.
 *
 * All keys of a small table are looked at, and a sample of pages of a large one. Values that lie beside their rows are not
 * fetched: their lengths are in the row, unless they are compressed and not text. A table that keeps much beside its rows
 * is looked at wholly, because a few rows may make up most of it; what lies in the rows is then the smaller part.
 */
export async function planTable(
  client: Client,
  table: TableFacts,
  limits: RangeLimits,
  smallPages = smallTablePages,
): Promise<readonly PlannedRange[]> {
  const percent = await samplePercent(client, table, limits, smallPages);
  const fill = percent === 100 ? fullScanFill : sampleFill;
  const aims = { rows: limits.rowsPerChunk, bytes: limits.bytesPerChunk * fill };
  const cuts = mergeGroups(await rowGroups(client, table, aims, percent), {
    // Half a group more than asked for is better than a group less.
    rows: aims.rows * (1 + 0.5 / groupsPerRange),
    bytes: aims.bytes,
  });
  const columns = storedColumns(table).map(({ name }) => name);
  const keyColumns = table.key.map(({ name }) => name);
  const keyOrders = table.key.map(({ order }) => order);
  const { schema, table: name } = table;
  return [null, ...cuts].map((lowKey, place) => ({
    range: {
      schema,
      table: name,
      keyColumns,
      keyOrders,
      lowKey: lowKey === null ? null : [...lowKey],
      highKey: cuts[place] === undefined ? null : [...cuts[place]],
    },
    columns,
  }));
}

async function samplePercent(
  client: Client,
  table: TableFacts,
  limits: RangeLimits,
  smallPages: number,
): Promise<number> {
  const { rows } = await client.query<{ pages: number; besideBytes: number; rowsPerPage: number | null }>(
    `SELECT (pg_relation_size(c.oid) / ${pageBytes})::float8 AS "pages",
            CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE pg_relation_size(c.reltoastrelid) END::float8 AS "besideBytes",
            CASE WHEN c.relpages > 0 AND c.reltuples > 0 THEN c.reltuples / c.relpages END::float8 AS "rowsPerPage"
       FROM pg_class c
      WHERE c.oid = to_regclass($1)`,
    [table.name],
  );
  const { pages, besideBytes, rowsPerPage } = rows[0] ?? { pages: 0, besideBytes: 0, rowsPerPage: null };
  if (pages <= smallPages || besideBytes * 4 > pages * pageBytes) {
    return 100;
  }
  const rangePages = Math.min(limits.bytesPerChunk / pageBytes, limits.rowsPerChunk / (rowsPerPage ?? maxRowsPerPage));
  return Math.min(100, (100 * pagesPerRange) / rangePages);
}

/**
 * Neighbouring rows in groups, in the order of their keys. A row's cost is the larger of its shares in the two limits; a
 * group begins with each row before which the costs pass another eighth. So a group is an eighth of a range, and a row.
 */
async function rowGroups(
  client: Client,
  table: TableFacts,
  aims: { readonly rows: number; readonly bytes: number },
  percent: number,
): Promise<readonly RowGroup[]> {
  const weight = 100 / percent;
  const keys = table.key.map(({ name, less }, place) => ({ column: `t.${identifier(name)}`, as: `k${place}`, less }));
  const cost = `${groupsPerRange} * greatest(${weight / aims.rows}::float8, bytes * ${weight / aims.bytes}::float8)`;
  const { rows } = await client.query<(string | number)[]>({
    rowMode: 'array',
    text: `
      WITH sized AS (
        SELECT ${keys.map(({ column, as }) => `${column} AS ${as}`).join(', ')},
               (${storedColumns(table).map(textSize).join(' + ')})::float8 AS bytes
          FROM ONLY ${table.name} AS t ${percent === 100 ? '' : `TABLESAMPLE SYSTEM (${percent})`}),
      placed AS (
        SELECT *, row_number() OVER ordered AS number, floor(sum(${cost}) OVER ordered - ${cost}) AS place
          FROM sized
        WINDOW ordered AS (ORDER BY ${keys.map(({ as, less }) => `${as} USING ${less}`).join(', ')} ROWS UNBOUNDED PRECEDING)),
      summed AS (
        SELECT min(number) AS number, count(*) AS rows, sum(bytes) AS bytes FROM placed GROUP BY place)
      SELECT summed.rows::float8, summed.bytes, ${keys.map(({ as }) => `placed.${as}::text`).join(', ')}
        FROM summed JOIN placed USING (number)
       ORDER BY number`,
  });
  return rows.map(([count, bytes, ...firstKey]) => ({
    rows: Number(count) * weight,
    bytes: Number(bytes) * weight,
    firstKey: firstKey.map(String),
  }));
}

/** How many bytes a value has in COPY text format, with its separator, in SQL; escapes are not counted. */
function textSize(column: ColumnFacts): string {
  const value = `t.${identifier(column.name)}`;
  return `coalesce(${lengthOf(value, column)}, 2) + 1`;
}

function lengthOf(value: string, column: ColumnFacts): string {
  switch (column.baseType) {
    case 'text':
    case 'character varying':
    case 'bpchar':
      return `octet_length(${value})`;
    case 'bytea':
      return `2 * octet_length(${value}) + 3`;
    default: {
      const exactly = `octet_length(${value}::text)`;
      const isLarge = `pg_column_size(${value}) > ${largeValueBytes} AND pg_column_compression(${value}) IS NULL`;
      return column.toastable ? `CASE WHEN ${isLarge} THEN 3 * pg_column_size(${value}) ELSE ${exactly} END` : exactly;
    }
  }
}
