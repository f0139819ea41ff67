import type { Client } from 'pg';
import type { SchemaDescription } from '../../../../core/cluster/manifest';
import type { DatabaseAddress } from '../../../../core/ports/database-engine';
import { waitUntil } from '../../../../engines/postgresql/condition';
import { postgresOwnership } from '../../../../engines/postgresql/ownership/ownership';
import { postgresStructure } from '../../../../engines/postgresql/structure/structure';
import { freshDatabase, startTestServer, testClient, type TestServer } from '../../../support/postgres';

const shard = 'shard_0005';
const tables = ['one', 'two', 'three', 'four', 'five', 'six'];

let server: TestServer;
let structure: ReturnType<typeof postgresStructure>;
let address: DatabaseAddress;
let schema: SchemaDescription;
let client: Client;

beforeAll(async () => {
  server = await startTestServer();
  structure = postgresStructure(server.source);
});

afterAll(() => server.stop());

beforeEach(async () => {
  const source = await freshDatabase(server);
  const creator = await testClient(server, source);
  await creator.query('CREATE SCHEMA shard_0005');
  for (const table of tables) {
    await creator.query(
      `CREATE TABLE shard_0005.${table} (id int PRIMARY KEY, v int UNIQUE, w text);
       CREATE INDEX ${table}_w ON shard_0005.${table} (w)`,
    );
  }
  await creator.end();
  schema = await structure.describe(source, [shard]);
  address = await freshDatabase(server);
  client = await testClient(server, address);
  await structure.createTables(address, { shard, epoch: 1, schema });
});

afterEach(() => client.end());

async function load(table: string, rows: number): Promise<void> {
  await client.query('SET session_replication_role = replica');
  await client.query(
    `INSERT INTO shard_0005.${table} SELECT i, i, repeat(md5(i::text), 3) FROM generate_series(1, ${rows}) i`,
  );
}

const progress = (part: 'keys' | 'indexes') => structure.indexProgress(address, { shard, schema, part });

async function built(part: 'keys' | 'indexes'): Promise<void> {
  await waitUntil(async () => (await progress(part)).built === tables.length, {
    timeoutMs: 40_000,
    late: () => new Error(`${part} not built in 40 s`),
    pollMs: 50,
  });
}

/** Holds up every build on a table, as a long build would take its time. */
async function holdUp(table: string): Promise<() => Promise<void>> {
  const blocker = await testClient(server, address);
  await blocker.query(`BEGIN; LOCK TABLE shard_0005.${table} IN ROW EXCLUSIVE MODE`);
  return async () => {
    await blocker.query('ROLLBACK');
    await blocker.end();
  };
}

async function builders(): Promise<number> {
  const { rows } = await client.query(`SELECT FROM pg_stat_activity WHERE application_name = 'rejoin builder'`);
  return rows.length;
}

/** Connections that this process has open. */
function sockets(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'TCPSocketWrap').length;
}

test('the server goes on building when the client has gone, statement after statement', async () => {
  for (const table of tables) {
    await load(table, 20_000);
  }
  const release = await Promise.all(tables.map(holdUp));
  const before = sockets();
  const startedAt = performance.now();
  await structure.startIndexes(address, { shard, schema, part: 'keys' });
  // It returned although nothing can be built yet.
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  const held = await progress('keys');
  expect(held).toMatchObject({ built: 0, total: 6, failed: [] });
  expect(held.running).toHaveLength(4);
  expect(held.running[0]).toMatch(/^\w+_pkey: /);
  expect(await builders()).toBe(4);
  expect(sockets()).toBe(before);
  await Promise.all(release.map((one) => one()));
  // Nobody asks for progress meanwhile: the builders take up the last two by themselves.
  await waitUntil(
    async () => {
      const { rows } = await client.query<{ count: string }>(
        `SELECT count(*) FROM rejoin.index_build WHERE state = 'built' AND statement LIKE '%PRIMARY KEY%'`,
      );
      return rows[0]?.count === '6';
    },
    { timeoutMs: 40_000, late: () => new Error('keys not built in 40 s'), pollMs: 50 },
  );
  await expect(progress('keys')).resolves.toEqual({ built: 6, total: 6, running: [], failed: [] });
  await waitUntil(async () => (await builders()) === 0, {
    timeoutMs: 10_000,
    late: () => new Error('builders are left over'),
  });
});

test('starting again starts only what is missing', async () => {
  const release = await holdUp('one');
  await structure.startIndexes(address, { shard, schema, part: 'keys' });
  await structure.startIndexes(address, { shard, schema, part: 'keys' });
  const { rows } = await client.query(`SELECT statement FROM rejoin.index_build WHERE statement LIKE '%PRIMARY KEY%'`);
  expect(rows).toHaveLength(6);
  await release();
  await built('keys');
  await structure.startIndexes(address, { shard, schema, part: 'indexes' });
  await built('indexes');
});

test('a key that rows break is named with its reason, and can be tried again', async () => {
  await client.query('SET session_replication_role = replica; INSERT INTO shard_0005.two VALUES (1, 1), (1, 2)');
  await structure.startIndexes(address, { shard, schema, part: 'keys' });
  await waitUntil(async () => (await progress('keys')).failed.length > 0, {
    timeoutMs: 20_000,
    late: () => new Error('no failure in 20 s'),
    pollMs: 50,
  });
  expect((await progress('keys')).failed).toEqual([
    expect.stringMatching(/^two_pkey: 23505: could not create unique index/),
  ]);
  await client.query('DELETE FROM shard_0005.two WHERE v = 2');
  await structure.startIndexes(address, { shard, schema, part: 'keys' });
  await built('keys');
});

test('a builder that was killed is replaced by whoever asks for progress', async () => {
  const release = await holdUp('one');
  await structure.startIndexes(address, { shard, schema, part: 'keys' });
  await waitUntil(async () => (await progress('keys')).running.length === 1, {
    timeoutMs: 20_000,
    late: () => new Error('the held build is not the last one in 20 s'),
    pollMs: 50,
  });
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rejoin builder'`,
  );
  await release();
  await built('keys');
  await expect(progress('keys')).resolves.toMatchObject({ built: 6, running: [], failed: [] });
});

test('unique constraints wait for the passes: rows may break them before, and finishing builds them', async () => {
  await client.query('SET session_replication_role = replica; INSERT INTO shard_0005.one VALUES (1, 7), (2, 7)');
  for (const part of ['keys', 'indexes'] as const) {
    await structure.startIndexes(address, { shard, schema, part });
    await built(part);
  }
  await expect(structure.finishTables(address, { shard, schema })).rejects.toMatchObject({
    name: 'SqlFailed',
    message: expect.stringContaining('one_v_key: 23505') as string,
  });
  await client.query('UPDATE shard_0005.one SET v = 8 WHERE id = 2');
  await structure.finishTables(address, { shard, schema });
  await expect(structure.describe(address, [shard])).resolves.toEqual(schema);
});

test('a table that is there with other columns is refused', async () => {
  const other = await freshDatabase(server);
  const creator = await testClient(server, other);
  await creator.query('CREATE SCHEMA shard_0005; CREATE TABLE shard_0005.one (id int, other int)');
  await creator.end();
  await expect(structure.createTables(other, { shard, epoch: 1, schema })).rejects.toMatchObject({
    name: 'PreflightRefused',
    message: expect.stringContaining('has the columns id, other instead of id, v, w') as string,
  });
});

describe('dropping', () => {
  test('removes the shard and all that Rejoin knows of it, also in the middle of a build', async () => {
    const release = await holdUp('one');
    await structure.startIndexes(address, { shard, schema, part: 'keys' });
    const dropped = structure.dropShard(address, { shard, schemas: [shard] });
    await release();
    await dropped;
    const { rows } = await client.query(
      `SELECT FROM pg_namespace WHERE nspname = 'shard_0005' UNION ALL SELECT FROM rejoin.index_build UNION ALL SELECT FROM rejoin.shard`,
    );
    expect(rows).toHaveLength(0);
    await structure.dropShard(address, { shard, schemas: [shard] });
    await structure.createTables(address, { shard, epoch: 2, schema });
  });

  test('refuses a shard that accepts writes', async () => {
    await postgresOwnership(server.source).openShard(address, { shard, epoch: 1 });
    await expect(structure.dropShard(address, { shard, schemas: [shard] })).rejects.toMatchObject({
      name: 'DecisionRefused',
    });
  });
});
