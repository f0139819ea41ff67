import { DatabaseError, type Client } from 'pg';
import { inTransaction } from '../connection';

/** Schema, table, type, function, column or constraint is there already. */
const duplicates = new Set(['42P06', '42P07', '42710', '42723', '42701']);

/** How much of a statement an error shows. */
const shownCharacters = 300;

/**
 * Runs statements of a shard's structure in one transaction, each once: what has been run is recorded with it. What is
 * there already, made by somebody else, stays.
 */
export async function runOnce(client: Client, shard: string, statements: readonly string[]): Promise<void> {
  await inTransaction(client, async () => {
    // Bodies may name what a later statement creates.
    await client.query('SET LOCAL check_function_bodies = off');
    for (const statement of await notYetRun(client, shard, statements)) {
      await runOrKeep(client, statement);
      await client.query(
        `INSERT INTO rejoin.index_build (shard, statement, state) VALUES ($1, $2, 'built') ON CONFLICT DO NOTHING`,
        [shard, statement],
      );
    }
  });
}

/** Which of these statements have not been run, in their order. */
export async function notYetRun(
  client: Client,
  shard: string,
  statements: readonly string[],
): Promise<readonly string[]> {
  const { rows } = await client.query<{ statement: string }>(
    `SELECT statement FROM rejoin.index_build WHERE shard = $1 AND state = 'built' AND statement = ANY ($2::text[])`,
    [shard, statements],
  );
  const done = new Set(rows.map(({ statement }) => statement));
  return statements.filter((statement) => !done.has(statement));
}

async function runOrKeep(client: Client, statement: string): Promise<void> {
  await client.query('SAVEPOINT statement');
  try {
    await client.query(statement);
  } catch (thrown) {
    if (!(thrown instanceof DatabaseError)) {
      throw thrown;
    }
    if (!isThere(thrown, statement)) {
      thrown.message = `${thrown.message}, in: ${statement.slice(0, shownCharacters)}`;
      throw thrown;
    }
    await client.query('ROLLBACK TO SAVEPOINT statement');
  }
  await client.query('RELEASE SAVEPOINT statement');
}

/** `42809` and `42P16` mean many things; for these two statements only that it has been done. */
function isThere(thrown: DatabaseError, statement: string): boolean {
  const code = thrown.code ?? '';
  return (
    duplicates.has(code) ||
    (code === '42809' && statement.includes(' ATTACH PARTITION ')) ||
    (code === '42P16' && statement.includes(' PRIMARY KEY '))
  );
}
