import type { Client } from 'pg';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { createBookkeeping } from '../bookkeeping';
import type { ConnectionSource } from '../connection';
import { enqueue, startBuilders } from './builders';
import { presentStatements, readProgress, type BuildOrder, type IndexProgress } from './index-progress';

/** Starts what is missing; what failed before is tried again. Returns while the server builds. */
export async function startIndexes(
  source: ConnectionSource,
  address: DatabaseAddress,
  client: Client,
  order: BuildOrder,
): Promise<void> {
  await createBookkeeping(client);
  await startStatements(source, address, client, { shard: order.shard, statements: order.schema[order.part] });
}

/** The same for any statements that build keys or indexes. */
export async function startStatements(
  source: ConnectionSource,
  address: DatabaseAddress,
  client: Client,
  order: { readonly shard: string; readonly statements: readonly string[] },
): Promise<void> {
  const present = await presentStatements(client, order.statements);
  const missing = order.statements.filter((statement) => !present.has(statement));
  if (missing.length > 0) {
    await enqueue(client, order.shard, missing);
    await startBuilders(source, address, client);
  }
}

/**
 * How far building has come. Whoever asks also sees to it that somebody builds: builders end with their server, and
 * nobody else would start them again.
 */
export async function indexProgress(
  source: ConnectionSource,
  address: DatabaseAddress,
  client: Client,
  order: BuildOrder,
): Promise<IndexProgress> {
  await createBookkeeping(client);
  await startBuilders(source, address, client);
  return readProgress(client, order.shard, order.schema[order.part]);
}
