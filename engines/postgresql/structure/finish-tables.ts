import type { Client } from 'pg';
import type { SchemaDescription } from '../../../core/cluster/manifest';
import { RejoinError } from '../../../core/errors';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { buildTarget } from '../../../core/structure/build-statement';
import { createBookkeeping } from '../bookkeeping';
import { waitUntil } from '../condition';
import type { ConnectionSource } from '../connection';
import { startBuilders } from './builders';
import { readProgress } from './index-progress';
import { startStatements } from './start-indexes';
import { runOnce } from './statement-records';

/** Below the time limit of a step; whoever calls repeats it. */
const buildTimeoutMs = 240_000;

/**
 * What comes after the rows: unique indexes first, built by the server as the others are, and then one statement after
 * the other, each recorded in its own transaction, so that a repeated call goes on where the last one ended.
 *
 * @throws SqlUnavailable while unique indexes are still being built: repeat it; SqlFailed when one can't be built
 */
export async function finishTables(
  source: ConnectionSource,
  address: DatabaseAddress,
  client: Client,
  order: { readonly shard: string; readonly schema: SchemaDescription },
): Promise<void> {
  await createBookkeeping(client);
  const builds = order.schema.afterRows.filter((statement) => buildsOnRows(order.schema, statement));
  const isBuild = new Set(builds);
  await buildUniqueIndexes(source, address, client, { shard: order.shard, builds });
  for (const statement of order.schema.afterRows) {
    if (!isBuild.has(statement)) {
      await runOnce(client, order.shard, [statement]);
    }
  }
}

/** Indexes of materialized views and unlogged tables take their turn among the other statements. */
function buildsOnRows(schema: SchemaDescription, statement: string): boolean {
  const target = buildTarget(statement);
  return target !== null && schema.tables.some((one) => one.schema === target.schema && one.table === target.table);
}

async function buildUniqueIndexes(
  source: ConnectionSource,
  address: DatabaseAddress,
  client: Client,
  order: { readonly shard: string; readonly builds: readonly string[] },
): Promise<void> {
  await startStatements(source, address, client, { shard: order.shard, statements: order.builds });
  const isDone = async (): Promise<boolean> => {
    const { built, total, failed } = await readProgress(client, order.shard, order.builds);
    if (failed.length > 0) {
      throw new RejoinError(
        'SqlFailed',
        `node '${address.nodeId}' can't build for ${order.shard}: ${failed.join('; ')}`,
      );
    }
    if (built < total) {
      await startBuilders(source, address, client);
    }
    return built === total;
  };
  await waitUntil(isDone, {
    timeoutMs: buildTimeoutMs,
    pollMs: 100,
    late: () =>
      new RejoinError(
        'SqlUnavailable',
        `node '${address.nodeId}' is still building unique indexes of ${order.shard}; finish its tables again`,
      ),
  });
}
