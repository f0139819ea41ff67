import type { Client } from 'pg';
import type { SchemaDescription } from '../../../../core/cluster/manifest';
import { creationOrder } from '../../../../core/structure/creation-order';
import { shardTables } from '../../shard-tables';
import type { CatalogObject } from './catalog';
import { readComments } from './comments';
import { readConstraints } from './constraints';
import { readDependencies } from './dependencies';
import { readFunctions } from './functions';
import { readIndexes } from './indexes';
import { readPrivileges } from './privileges';
import { readSchemas } from './schemas';
import { readSequenceOwnership, readSequences } from './sequences';
import { readAttachments, readDefaults, readTables } from './tables';
import { readRowSecurity, readStatistics, readTriggers } from './triggers';
import { readCollations, readTypes } from './types';
import { readRefreshes, readViews } from './views';

/**
 * A shard's structure as statements, read in one snapshot. Describing a database that these statements made gives the
 * same statements again.
 *
 * Unique indexes and constraints beside the primary key come after the rows: chunks are read at different times, so
 * until changes have been applied two rows may hold one value.
 *
 * @throws PreflightRefused when objects need each other in a circle
 */
export async function describeSchemas(client: Client, schemas: readonly string[]): Promise<SchemaDescription> {
  const { objects, beforeRows, afterRows } = await orderedObjects(client, schemas);
  const statementsOf = (ids: readonly string[]): readonly string[] =>
    ids.flatMap((id) => objects.get(id)?.statements ?? []);
  const constraints = await readConstraints(client, schemas);
  const indexes = await readIndexes(client, schemas);
  const defaults = await readDefaults(client, schemas);
  const late = new Set(afterRows);
  const defaultsOf = (isLate: boolean): readonly string[] =>
    defaults.filter(({ id }) => late.has(id) === isLate).map(({ statement }) => statement);
  const refreshes = await readRefreshes(client, schemas);
  return {
    beforeRows: [
      ...(await readSchemas(client, schemas)),
      ...statementsOf(beforeRows),
      ...defaultsOf(false),
      ...constraints.checks,
      ...(await readAttachments(client, schemas)),
      ...(await readSequenceOwnership(client, schemas)),
    ],
    keys: [...constraints.primaryKeys],
    indexes: [...indexes.plain],
    afterRows: [
      ...constraints.uniques,
      ...indexes.unique,
      ...constraints.parentKeys,
      ...indexes.parents,
      ...indexes.attachments,
      ...indexes.settings,
      ...constraints.unprovedChecks,
      ...statementsOf(afterRows),
      ...defaultsOf(true),
      ...constraints.foreignKeys,
      ...constraints.validations,
      ...(await readStatistics(client, schemas)),
      ...(await readTriggers(client, schemas)),
      ...(await readRowSecurity(client, schemas)),
      ...[...beforeRows, ...afterRows].flatMap((id) => refreshes.get(id) ?? []),
      ...indexes.ofViews,
      ...(await readPrivileges(client, schemas)),
      ...(await readComments(client, schemas)),
    ],
    tables: (await shardTables(client, schemas)).map((table) => ({
      ...table,
      keyColumns: [...table.keyColumns],
      columns: [...table.columns],
    })),
  };
}

async function orderedObjects(
  client: Client,
  schemas: readonly string[],
): Promise<{
  readonly objects: ReadonlyMap<string, CatalogObject>;
  readonly beforeRows: readonly string[];
  readonly afterRows: readonly string[];
}> {
  const objects = [
    ...(await readCollations(client, schemas)),
    ...(await readTypes(client, schemas)),
    ...(await readSequences(client, schemas)),
    ...(await readFunctions(client, schemas)),
    ...(await readTables(client, schemas)),
    ...(await readViews(client, schemas)),
  ];
  const order = creationOrder(objects, await readDependencies(client, schemas));
  return { objects: new Map(objects.map((object) => [object.id, object])), ...order };
}
