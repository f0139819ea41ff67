import type { Client } from 'pg';
import type { SchemaDescription } from '../../../core/cluster/manifest';
import { RejoinError } from '../../../core/errors';
import type { DatabaseAddress, DatabaseStructure } from '../../../core/ports/database-engine';
import { refusal } from '../../../core/preflight/judge';
import { shortSession, withSession } from '../connection';
import type { ConnectionSource, SessionOptions } from '../connection';
import { createTables } from './create-tables';
import { describeSchemas } from './describe/describe';
import { dropShard } from './drop-shard';
import { dropUniques } from './drop-uniques';
import { finishTables } from './finish-tables';
import { preflight } from './preflight';
import { indexProgress, startIndexes } from './start-indexes';

/** Validating a foreign key or filling a materialized view reads whole tables. */
const structureSession: SessionOptions = { statementTimeoutMs: 600_000, role: 'origin' };

export function postgresStructure(source: ConnectionSource): DatabaseStructure {
  const run = <T>(address: DatabaseAddress, work: (client: Client) => Promise<T>): Promise<T> =>
    withSession(source, address, structureSession, work);
  return {
    preflight: (address, schemas) => run(address, (client) => inSnapshot(client, () => preflight(client, schemas))),
    describe: (address, schemas) =>
      run(address, (client) => inSnapshot(client, () => describeChecked(client, address, schemas))),
    createTables: (address, order) => run(address, (client) => createTables(client, address, order)),
    startIndexes: (address, order) =>
      withSession(source, address, shortSession, (client) => startIndexes(source, address, client, order)),
    indexProgress: (address, order) =>
      withSession(source, address, shortSession, (client) => indexProgress(source, address, client, order)),
    finishTables: (address, order) => run(address, (client) => finishTables(source, address, client, order)),
    dropUniques: (address, order) => run(address, (client) => dropUniques(client, address, order)),
    dropShard: (address, order) => run(address, (client) => dropShard(client, address, order)),
  };
}

async function describeChecked(
  client: Client,
  address: DatabaseAddress,
  schemas: readonly string[],
): Promise<SchemaDescription> {
  const refused = refusal(await preflight(client, schemas));
  if (refused !== null) {
    throw new RejoinError('PreflightRefused', `cluster '${address.cluster}', node '${address.nodeId}': ${refused}`);
  }
  return describeSchemas(client, schemas);
}

/** One view of the catalogs for all queries, whatever is created beside them. */
async function inSnapshot<T>(client: Client, read: () => Promise<T>): Promise<T> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  const result = await read();
  await client.query('COMMIT');
  return result;
}
