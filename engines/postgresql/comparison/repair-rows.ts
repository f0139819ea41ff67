import { pipeline } from 'node:stream/promises';
import type { Client } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { copyField } from '../../../core/changes/copy-text';
import type { RowRange } from '../../../core/cluster/manifest';
import { RejoinError } from '../../../core/errors';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { asRejoinError, inTransaction } from '../connection';
import { copyIn } from '../copy';
import { identifier } from '../identifier';
import { keyJoin, keyNames, keyValues } from '../key-range';
import { lockShardRows } from '../rows/applied-position';
import { guardSession } from '../rows/guard-session';
import { createStage, stageColumns } from '../rows/staging';
import type { TargetTable } from '../rows/target-table';
import { deleteSql, insertSql } from '../rows/write-statements';
import { storedColumns, tableFacts, type TableFacts } from '../table-facts';

/** Keys named in one statement. */
const keysAtOnce = 1_000;
const keyStage = 'pg_temp.rejoin_repair_keys';
const rowStage = 'pg_temp.rejoin_repair_rows';

interface Source {
  readonly client: Client;
  readonly address: DatabaseAddress;
}

/**
 * Makes the rows of these keys the same on the target as on the source, in one transaction there. All of them are deleted
 * before any is written, as two may have swapped a unique value. Rows flow from one server to the other.
 */
export async function repairRows(
  source: Source,
  target: Client,
  order: { readonly shard: string; readonly range: RowRange; readonly keys: readonly (readonly string[])[] },
): Promise<number> {
  const { shard, range } = order;
  const keys = [...new Map(order.keys.map((key) => [JSON.stringify(key), key])).values()];
  if (keys.length === 0) {
    return 0;
  }
  await guardSession(target);
  const from = await tableFacts(source.client, range.schema, range.table);
  const to = matchColumns(from, await tableFacts(target, range.schema, range.table));
  await createStage(target, keyStage, stageColumns(to, to.keyPositions));
  await createStage(
    target,
    rowStage,
    stageColumns(
      to,
      to.columns.map((_, place) => place),
    ),
  );
  return inTransaction(target, async () => {
    await lockShardRows(target, shard);
    const lines = keys.map((key) => `${key.map(copyField).join('\t')}\n`).join('');
    await copyIn(target, `COPY ${keyStage} FROM STDIN`, Buffer.from(lines));
    for (let first = 0; first < keys.length; first += keysAtOnce) {
      await copyRows(source, target, rowsSql(from, to, keys.slice(first, first + keysAtOnce)));
    }
    const replaced = from.key
      .map(({ equal }, nth) => `r.c${to.keyPositions[nth] ?? ''} ${equal} s.c${to.keyPositions[nth] ?? ''}`)
      .join(' AND ');
    const isReplaced = `EXISTS (SELECT FROM ${rowStage} AS r WHERE ${replaced})`;
    const deleted = await target.query(deleteSql(to, keyStage, `NOT ${isReplaced}`));
    await target.query(deleteSql(to, rowStage));
    // Two texts may be the same key: 1.0 and 1.00, which source and target have one of each.
    const places = to.keyPositions.map((place) => `c${place}`).join(', ');
    const once = `(SELECT DISTINCT ON (${places}) * FROM ${rowStage})`;
    const written = await target.query(insertSql(to, once, { replace: false }));
    return (deleted.rowCount ?? 0) + (written.rowCount ?? 0);
  });
}

/** Lets rows flow into the stage. What goes wrong on the source is said of the source. */
async function copyRows(source: Source, target: Client, sql: string): Promise<void> {
  const read = source.client.query(copyTo(sql));
  const write = target.query(copyFrom(`COPY ${rowStage} FROM STDIN`));
  const failed: ('source' | 'target')[] = [];
  read.once('error', () => failed.push('source'));
  write.once('error', () => failed.push('target'));
  try {
    await pipeline(read, write);
  } catch (thrown) {
    throw failed[0] === 'source' ? asRejoinError(thrown, source.address) : thrown;
  }
}

/** COPY of the source's rows of these keys, columns in the order of the stage. */
function rowsSql(from: TableFacts, to: TargetTable, keys: readonly (readonly string[])[]): string {
  return `COPY (SELECT ${to.columns.map(({ name }) => `t.${identifier(name)}`).join(', ')}
                  FROM ONLY ${from.name} AS t
                  JOIN (VALUES ${keys.map((key) => `(${keyValues(from, key)})`).join(', ')}) AS k (${keyNames(from)}) ON ${keyJoin(from)}) TO STDOUT`;
}

/** @throws SqlFailed naming a column that only one of them has */
function matchColumns(from: TableFacts, facts: TableFacts): TargetTable {
  const columns = storedColumns(facts);
  const names = [storedColumns(from).map(({ name }) => name), columns.map(({ name }) => name)] as const;
  const unmatched = [
    ...names[0].filter((name) => !names[1].includes(name)),
    ...names[1].filter((name) => !names[0].includes(name)),
  ];
  if (unmatched.length > 0) {
    throw new RejoinError(
      'SqlFailed',
      `rows of table '${facts.schema}.${facts.table}' can't be repaired: only one of the nodes has column '${unmatched.join("', '")}'; the tables must have the same columns`,
    );
  }
  const keyPositions = facts.key.map(({ name }) => columns.findIndex((column) => column.name === name));
  return { facts, columns, keyPositions };
}
