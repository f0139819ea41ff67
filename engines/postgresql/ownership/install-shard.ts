import type { Client } from 'pg';
import { RejoinError } from '../../../core/errors';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { createBookkeeping } from '../bookkeeping';
import { inTransaction } from '../connection';
import {
  checkFunctions,
  commitCheckName,
  createCommitCheck,
  createStatementCheck,
  statementCheckArguments,
  statementCheckName,
} from './shard-checks';

export interface ShardInstallation {
  readonly shard: string;
  readonly schemas: readonly string[];
  readonly epoch: number;
  readonly writable: boolean;
}

/** Tables that can be written, and which checks they lack. Partitioned ones have statement triggers of their own. */
const tablesSql = `
  SELECT n.nspname AS "schema", c.relname AS "table",
         NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = $2 AND t.tgargs = $4) AS "lacksStatementCheck",
         EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = $2 AND t.tgargs <> $4) AS "ofAnotherShard",
         c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = $3) AS "lacksCommitCheck"
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p')
     AND NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
   ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`;

interface TableChecks {
  readonly schema: string;
  readonly table: string;
  readonly lacksStatementCheck: boolean;
  readonly ofAnotherShard: boolean;
  readonly lacksCommitCheck: boolean;
}

/**
 * Adds the write check and the durability check to each table of a shard, partitions included, and records who may
 * write. Repeating it adds what is missing. Creating a trigger waits for the writers of its table.
 *
 * @throws ConditionFailed when the shard is already at a later epoch here; InvalidInput when a table belongs to another shard
 */
export async function installShard(client: Client, address: DatabaseAddress, order: ShardInstallation): Promise<void> {
  await createBookkeeping(client);
  await inTransaction(client, async () => {
    // The lock of the bookkeeping: replacing one function twice at a time fails.
    await client.query(`SELECT pg_advisory_xact_lock(5393742, 0); ${checkFunctions.join('; ')}`);
    await addChecks(client, address, order);
    await recordShard(client, address, order);
  });
}

async function addChecks(client: Client, address: DatabaseAddress, order: ShardInstallation): Promise<void> {
  const administrator = await client.query<{ name: string }>('SELECT current_user::text AS name');
  const tables = await client.query<TableChecks>(tablesSql, [
    order.schemas,
    statementCheckName,
    commitCheckName,
    Buffer.from(
      statementCheckArguments(order.shard)
        .map((argument) => `${argument}\0`)
        .join(''),
    ),
  ]);
  const foreign = tables.rows.find((row) => row.ofAnotherShard);
  if (foreign !== undefined) {
    throw new RejoinError(
      'InvalidInput',
      `table ${foreign.schema}.${foreign.table} on node '${address.nodeId}' already belongs to another shard than ${order.shard}; a schema belongs to one shard`,
    );
  }
  const statements = tables.rows.flatMap((row) => [
    ...(row.lacksStatementCheck ? [createStatementCheck(order.shard, row.schema, row.table)] : []),
    ...(row.lacksCommitCheck
      ? [createCommitCheck(order.shard, administrator.rows[0]?.name ?? '', row.schema, row.table)]
      : []),
  ]);
  if (statements.length > 0) {
    await client.query(statements.join('; '));
  }
}

async function recordShard(client: Client, address: DatabaseAddress, order: ShardInstallation): Promise<void> {
  const recorded = await client.query(
    `INSERT INTO rejoin.shard AS held (shard, schemas, epoch, writable) VALUES ($1, $2, $3, $4)
     ON CONFLICT (shard) DO UPDATE SET schemas = EXCLUDED.schemas, epoch = EXCLUDED.epoch, writable = EXCLUDED.writable
       WHERE held.epoch <= EXCLUDED.epoch`,
    [order.shard, order.schemas, order.epoch, order.writable],
  );
  if (recorded.rowCount === 0) {
    throw await laterEpoch(client, address, order);
  }
}

/** The error for an order with an epoch that the shard has left behind. */
export async function laterEpoch(
  client: Client,
  address: DatabaseAddress,
  order: { readonly shard: string; readonly epoch: number },
): Promise<RejoinError> {
  const held = await client.query<{ epoch: string }>('SELECT epoch FROM rejoin.shard WHERE shard = $1', [order.shard]);
  return held.rows[0] === undefined
    ? new RejoinError('NotFound', `node '${address.nodeId}' holds no shard '${order.shard}'; install it first`)
    : new RejoinError(
        'ConditionFailed',
        `${order.shard} is at epoch ${held.rows[0].epoch} on node '${address.nodeId}', so epoch ${order.epoch} comes too late; read the shard map again`,
      );
}
