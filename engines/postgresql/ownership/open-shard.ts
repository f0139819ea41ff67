import type { Client } from 'pg';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { sequenceRestart } from '../../../core/sequence/restart';
import { inTransaction } from '../connection';
import { identifier, literal, qualified } from '../identifier';
import { laterEpoch } from './install-shard';

/** Columns filled by a sequence: owned ones (serial, identity) and those whose default reads it. */
const filledColumnsSql = `
  WITH filled AS (
    SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS attribute
      FROM pg_depend d
     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
    UNION
    SELECT d.refobjid, f.adrelid, f.adnum
      FROM pg_depend d
      JOIN pg_attrdef f ON f.oid = d.objid
     WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass
  )
  SELECT sn.nspname AS "sequenceSchema", sc.relname AS "sequenceName", s.seqstart AS "start", s.seqincrement AS "increment",
         s.seqmin AS "minimum", s.seqmax AS "maximum",
         json_agg(json_build_object('schema', tn.nspname, 'table', tc.relname, 'column', a.attname,
                                    'isNumeric', a.atttypid = 'numeric'::regtype)
                  ORDER BY tn.nspname COLLATE "C", tc.relname COLLATE "C", a.attnum) AS "columns"
    FROM filled
    JOIN pg_sequence s ON s.seqrelid = filled.sequence
    JOIN pg_class sc ON sc.oid = s.seqrelid
    JOIN pg_namespace sn ON sn.oid = sc.relnamespace
    JOIN pg_class tc ON tc.oid = filled.relation AND tc.relkind IN ('r', 'p')
    JOIN pg_namespace tn ON tn.oid = tc.relnamespace
    JOIN pg_attribute a ON a.attrelid = tc.oid AND a.attnum = filled.attribute
   WHERE tn.nspname = ANY ($1::text[])
     AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)
   GROUP BY s.seqrelid, sn.nspname, sc.relname, s.seqstart, s.seqincrement, s.seqmin, s.seqmax
   ORDER BY sn.nspname COLLATE "C", sc.relname COLLATE "C"`;

interface FilledSequence {
  readonly sequenceSchema: string;
  readonly sequenceName: string;
  readonly start: string;
  readonly increment: string;
  readonly minimum: string;
  readonly maximum: string;
  readonly columns: readonly FilledColumn[];
}

interface FilledColumn {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  /** A numeric column may hold NaN and infinities, which no sequence reaches. */
  readonly isNumeric: boolean;
}

/**
 * Sets the shard's sequences past the values that its rows hold, because replication doesn't carry sequences, and then
 * accepts writes at `epoch`. Runs within the time that clients wait, so it is few round trips.
 *
 * @throws ConditionFailed when the shard is at a later epoch here; NotFound when the node doesn't hold it
 */
export async function openShard(
  client: Client,
  address: DatabaseAddress,
  order: { readonly shard: string; readonly epoch: number },
): Promise<void> {
  await inTransaction(client, async () => {
    const held = await client.query<{ schemas: string[] }>(
      'SELECT schemas FROM rejoin.shard WHERE shard = $1 AND epoch <= $2 FOR UPDATE',
      [order.shard, order.epoch],
    );
    if (held.rows[0] === undefined) {
      throw await laterEpoch(client, address, order);
    }
    await restartSequences(client, held.rows[0].schemas);
    await client.query('UPDATE rejoin.shard SET epoch = $2, writable = true WHERE shard = $1', [
      order.shard,
      order.epoch,
    ]);
  });
}

/** Sets each sequence that fills columns of these schemas past their values; never back. */
async function restartSequences(client: Client, schemas: readonly string[]): Promise<void> {
  const sequences = await client.query<FilledSequence>(filledColumnsSql, [schemas]);
  if (sequences.rows.length === 0) {
    return;
  }
  const states = await client.query<{ lastValue: string; isCalled: boolean; extreme: string | null }>(
    sequences.rows.map(stateSql).join(' UNION ALL ') + ' ORDER BY place',
  );
  const restarts = sequences.rows.flatMap((sequence, index) => {
    const state = states.rows[index];
    const target = state === undefined ? null : restartOf(sequence, state);
    const name = qualified(sequence.sequenceSchema, sequence.sequenceName);
    return target === null ? [] : [`setval(${literal(name)}::regclass, ${target}, true)`];
  });
  if (restarts.length > 0) {
    await client.query(`SELECT ${restarts.join(', ')}`);
  }
}

function restartOf(
  sequence: FilledSequence,
  state: { readonly lastValue: string; readonly isCalled: boolean; readonly extreme: string | null },
): bigint | null {
  return sequenceRestart({
    start: BigInt(sequence.start),
    increment: BigInt(sequence.increment),
    minimum: BigInt(sequence.minimum),
    maximum: BigInt(sequence.maximum),
    lastValue: BigInt(state.lastValue),
    isCalled: state.isCalled,
    extreme: state.extreme === null ? null : BigInt(state.extreme),
  });
}

function stateSql(sequence: FilledSequence, place: number): string {
  const aggregate = sequence.increment.startsWith('-') ? 'min' : 'max';
  const round = aggregate === 'min' ? 'floor' : 'ceil';
  const extremes = sequence.columns.map((filled) => {
    const column = identifier(filled.column);
    const finite = filled.isNumeric ? ` WHERE ${column} NOT IN ('NaN', 'Infinity', '-Infinity')` : '';
    return `(SELECT ${aggregate}(${column})::numeric FROM ${qualified(filled.schema, filled.table)}${finite})`;
  });
  const extreme = `${aggregate === 'min' ? 'least' : 'greatest'}(${extremes.join(', ')})`;
  return `SELECT ${place} AS place, last_value AS "lastValue", is_called AS "isCalled", ${round}(${extreme})::text AS extreme
    FROM ${qualified(sequence.sequenceSchema, sequence.sequenceName)}`;
}
