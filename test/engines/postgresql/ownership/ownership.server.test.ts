import type { Client } from 'pg';
import { positionBytes } from '../../../../core/cluster/position';
import type { DatabaseAddress } from '../../../../core/ports/database-engine';
import { waitUntil } from '../../../../engines/postgresql/condition';
import { postgresOwnership } from '../../../../engines/postgresql/ownership/ownership';
import { freshDatabase, startTestServer, testClient, type TestServer } from '../../../support/postgres';

const shard = 'shard_0007';
let server: TestServer;
let address: DatabaseAddress;
let ownership: ReturnType<typeof postgresOwnership>;
const clients: Client[] = [];

/** A session of an application role, which has no right on Rejoin's own tables. */
async function application(): Promise<Client> {
  const client = await testClient(server, address);
  clients.push(client);
  await client.query('SET SESSION AUTHORIZATION app');
  return client;
}

async function administrator(): Promise<Client> {
  const client = await testClient(server, address);
  clients.push(client);
  return client;
}

const insert = (id: number): string => `INSERT INTO shard_0007.orders (id, note) VALUES (${id}, 'x')`;

beforeAll(async () => {
  // As deployed: the test server's own default would be refused.
  server = await startTestServer({ settings: { synchronous_commit: 'on' } });
  ownership = postgresOwnership(server.source);
  const client = await testClient(server, server.address);
  await client.query('CREATE ROLE app LOGIN');
  await client.end();
});

afterAll(() => server.stop());

beforeEach(async () => {
  address = await freshDatabase(server);
  const client = await administrator();
  await client.query(`
    CREATE SCHEMA shard_0007;
    CREATE TABLE shard_0007.orders (id bigint PRIMARY KEY, note text);
    CREATE TABLE shard_0007.events (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
    CREATE TABLE shard_0007.events_now PARTITION OF shard_0007.events DEFAULT;
    GRANT USAGE ON SCHEMA shard_0007 TO app;
    GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA shard_0007 TO app;`);
  await ownership.installShard(address, { shard, schemas: [shard], epoch: 3, writable: false });
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end()));
});

describe('the write check', () => {
  test.each([
    insert(1),
    "UPDATE shard_0007.orders SET note = 'y'",
    'DELETE FROM shard_0007.orders',
    'TRUNCATE shard_0007.orders',
    "MERGE INTO shard_0007.orders o USING (VALUES (1)) v(id) ON o.id = v.id WHEN NOT MATCHED THEN INSERT VALUES (v.id, '')",
    "INSERT INTO shard_0007.events VALUES (1, '2026-01-01')",
    "INSERT INTO shard_0007.events_now VALUES (1, '2026-01-01')",
  ])('refuses a closed shard: %s', async (statement) => {
    await expect((await application()).query(statement)).rejects.toMatchObject({
      code: 'RJ001',
      message: 'not primary: shard_0007 is not written on this node',
    });
  });

  test('refuses another epoch than the one that the session expects', async () => {
    await ownership.openShard(address, { shard, epoch: 4 });
    const client = await application();
    await client.query(`SET rejoin.epoch = '3'`);
    await expect(client.query(insert(1))).rejects.toMatchObject({
      code: 'RJ002',
      message: 'stale epoch: shard_0007 is at epoch 4, this session expects 3',
    });
    await client.query(`SET rejoin.epoch = '4'`);
    await expect(client.query(insert(1))).resolves.toMatchObject({ rowCount: 1 });
    await client.query('RESET rejoin.epoch');
    await expect(client.query(insert(2))).resolves.toMatchObject({ rowCount: 1 });
  });

  test('lets replication workers and loaders write a closed shard', async () => {
    const client = await administrator();
    await client.query('SET session_replication_role = replica');
    await expect(client.query(insert(1))).resolves.toMatchObject({ rowCount: 1 });
  });

  test.each(['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'])(
    'never writes after the shard was closed, under %s',
    async (isolation) => {
      await ownership.openShard(address, { shard, epoch: 4 });
      const writer = await application();
      await writer.query(`BEGIN ISOLATION LEVEL ${isolation}`);
      // The transaction's snapshot, where it has one for all statements, sees the shard open.
      await writer.query('SELECT count(*) FROM shard_0007.orders');
      await ownership.closeShard(address, { shard, epoch: 4, drainTimeoutMs: 1_000 });
      await expect(writer.query(insert(1))).rejects.toMatchObject({
        code: isolation === 'READ COMMITTED' ? 'RJ001' : '40001',
      });
    },
  );

  test('makes a statement that waits for the closer see the closed shard', async () => {
    await ownership.openShard(address, { shard, epoch: 4 });
    const closer = await administrator();
    const { rows } = await closer.query<{ args: Buffer }>(
      `SELECT tgargs AS args FROM pg_trigger WHERE tgname = 'rejoin_write_check' LIMIT 1`,
    );
    const [, classId, objectId] = rows[0]?.args.toString().split('\0') ?? [];
    await closer.query('BEGIN');
    await closer.query('SELECT pg_advisory_xact_lock($1::int, $2::int)', [classId, objectId]);
    await closer.query('UPDATE rejoin.shard SET writable = false');
    const writer = await application();
    const written = writer.query(insert(1)).then(
      () => 'written',
      (thrown: unknown) => (thrown as { code: string }).code,
    );
    await waitForLock(closer);
    await closer.query('COMMIT');
    await expect(written).resolves.toBe('RJ001');
  });
});

async function waitForLock(client: Client): Promise<void> {
  await waitForRow(client, `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`);
}

async function waitForRow(client: Client, query: string): Promise<void> {
  await waitUntil(async () => (await client.query(query)).rows.length > 0, {
    timeoutMs: 10_000,
    late: () => new Error(`no row in 10 s: ${query}`),
  });
}

describe('the durability check', () => {
  beforeEach(() => ownership.openShard(address, { shard, epoch: 4 }));

  test.each(['off', 'local'])('refuses a statement under synchronous_commit = %s', async (setting) => {
    const client = await application();
    await client.query(`SET synchronous_commit = ${setting}`);
    await expect(client.query(insert(1))).rejects.toMatchObject({ code: 'RJ004' });
    await expect(client.query('TRUNCATE shard_0007.orders')).rejects.toMatchObject({ code: 'RJ004' });
  });

  test.each(['shard_0007.orders (id)', 'shard_0007.events (id, day)'])(
    'refuses a commit that becomes local after the last statement on %s',
    async (table) => {
      const client = await application();
      await client.query('BEGIN');
      await client.query(`INSERT INTO ${table} SELECT 1 ${table.includes('day') ? ', current_date' : ''}`);
      await client.query('SET LOCAL synchronous_commit = local');
      await expect(client.query('COMMIT')).rejects.toMatchObject({ code: 'RJ004' });
      const { rows } = await client.query<{ count: string }>('SELECT count(*) FROM shard_0007.orders');
      expect(rows[0]?.count).toBe('0');
    },
  );

  test.each(['on', 'remote_write', 'remote_apply'])('accepts synchronous_commit = %s', async (setting) => {
    const client = await application();
    await client.query(`SET synchronous_commit = ${setting}`);
    await expect(client.query(insert(1))).resolves.toMatchObject({ rowCount: 1 });
  });

  test("lets Rejoin's own sessions commit locally", async () => {
    const client = await administrator();
    await client.query('SET synchronous_commit = local');
    await expect(client.query(insert(1))).resolves.toMatchObject({ rowCount: 1 });
  });
});

describe('installing', () => {
  test('repeats without change, and adds the checks that a new table lacks', async () => {
    const client = await administrator();
    await client.query('CREATE TABLE shard_0007.later (id int PRIMARY KEY)');
    await client.query('GRANT INSERT ON shard_0007.later TO app');
    await ownership.installShard(address, { shard, schemas: [shard], epoch: 3, writable: false });
    await expect((await application()).query('INSERT INTO shard_0007.later VALUES (1)')).rejects.toMatchObject({
      code: 'RJ001',
    });
    const { rows } = await client.query<{ count: string }>(
      `SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'rejoin%'`,
    );
    // Four tables with a statement trigger, three of them hold rows.
    expect(rows[0]?.count).toBe('7');
  });

  test('refuses to lower an epoch', async () => {
    await expect(
      ownership.installShard(address, { shard, schemas: [shard], epoch: 2, writable: true }),
    ).rejects.toMatchObject({ name: 'ConditionFailed', message: expect.stringContaining('is at epoch 3') as string });
    await expect(ownership.shards(address)).resolves.toEqual([{ shard, epoch: 3, writable: false }]);
  });

  test('refuses the tables of another shard', async () => {
    await expect(
      ownership.installShard(address, { shard: 'shard_0008', schemas: [shard], epoch: 1, writable: true }),
    ).rejects.toMatchObject({ name: 'InvalidInput' });
  });

  test('a node without bookkeeping holds no shards', async () => {
    await expect(ownership.shards(await freshDatabase(server))).resolves.toEqual([]);
  });
});

describe('opening', () => {
  test('never lowers an epoch, and names a shard that is not there', async () => {
    await expect(ownership.openShard(address, { shard, epoch: 2 })).rejects.toMatchObject({ name: 'ConditionFailed' });
    await expect(ownership.openShard(address, { shard: 'shard_0099', epoch: 2 })).rejects.toMatchObject({
      name: 'NotFound',
    });
    await ownership.openShard(address, { shard, epoch: 5 });
    await expect(ownership.shards(address)).resolves.toEqual([{ shard, epoch: 5, writable: true }]);
  });

  test('sets every kind of sequence past the rows, never back', async () => {
    const client = await administrator();
    await client.query(`
      SET session_replication_role = replica;
      CREATE TABLE shard_0007.seqs (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        "Se""rial" serial, down int, many int, ahead serial, num numeric);
      CREATE SEQUENCE shard_0007.down INCREMENT -5 MINVALUE -1000 MAXVALUE 0 START 0;
      ALTER TABLE shard_0007.seqs ALTER down SET DEFAULT nextval('shard_0007.down');
      CREATE SEQUENCE shard_0007."m any" INCREMENT 10;
      ALTER TABLE shard_0007.seqs ALTER many SET DEFAULT nextval('shard_0007."m any"');
      CREATE SEQUENCE shard_0007.num OWNED BY shard_0007.seqs.num;
      SELECT setval('shard_0007.seqs_ahead_seq', 900);
      INSERT INTO shard_0007.seqs OVERRIDING SYSTEM VALUE VALUES (70, 41, -12, 35, 7, 8.5), (2, 3, 0, 1, 1, 'NaN');`);
    await ownership.openShard(address, { shard, epoch: 4 });
    const { rows } = await client.query(
      `INSERT INTO shard_0007.seqs (num) VALUES (nextval('shard_0007.num')) RETURNING *`,
    );
    expect(rows).toEqual([{ id: '71', 'Se"rial': 42, down: -20, many: 51, ahead: 901, num: '10' }]);
  });
});

describe('closing', () => {
  beforeEach(() => ownership.openShard(address, { shard, epoch: 4 }));

  test('waits for writers, and returns the position after the last write', async () => {
    const writer = await application();
    await writer.query('BEGIN');
    await writer.query(insert(1));
    const closed = ownership.closeShard(address, { shard, epoch: 4, drainTimeoutMs: 10_000 });
    await waitForLock(await administrator());
    await writer.query('COMMIT');
    const { rows } = await writer.query<{ position: string }>('SELECT pg_current_wal_lsn()::text AS position');
    expect(positionBytes(await closed)).toBeGreaterThan(0n);
    expect(positionBytes(await closed)).toBeLessThanOrEqual(positionBytes(rows[0]?.position ?? '') + 1_000n);
    await expect(ownership.shards(address)).resolves.toEqual([{ shard, epoch: 4, writable: false }]);
  });

  test('gives up when writers do not end in time, and the shard stays open', async () => {
    const writer = await application();
    await writer.query('BEGIN');
    await writer.query(insert(1));
    await expect(ownership.closeShard(address, { shard, epoch: 4, drainTimeoutMs: 100 })).rejects.toMatchObject({
      name: 'SqlFailed',
      message: expect.stringContaining('did not end within 100 ms; it stays open') as string,
    });
    await writer.query('COMMIT');
    await expect(ownership.shards(address)).resolves.toEqual([{ shard, epoch: 4, writable: true }]);
  });

  test('refuses an epoch that the shard has left behind', async () => {
    await expect(ownership.closeShard(address, { shard, epoch: 3, drainTimeoutMs: 100 })).rejects.toMatchObject({
      name: 'ConditionFailed',
    });
  });
});

describe('revoking', () => {
  afterEach(() => ownership.setSynchronousFollowers(address, []));

  test('ends a commit that waits for a follower, so that a shorter list never acknowledges it', async () => {
    await ownership.openShard(address, { shard, epoch: 4 });
    await ownership.setSynchronousFollowers(address, ['s0007e4']);
    const writer = await application();
    writer.on('error', () => undefined);
    const written = writer.query(insert(1)).then(
      () => 'acknowledged',
      () => 'not acknowledged',
    );
    const watcher = await administrator();
    await watcher.query('SET synchronous_commit = local');
    await waitForRow(watcher, `SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'`);
    await ownership.revokeShard(address, { shard, epoch: 5 });
    await ownership.setSynchronousFollowers(address, []);
    await expect(written).resolves.toBe('not acknowledged');
    await expect(ownership.shards(address)).resolves.toEqual([{ shard, epoch: 5, writable: false }]);
    const late = await application();
    await expect(late.query(insert(2))).rejects.toMatchObject({ code: 'RJ001' });
  });

  test('ends a transaction that was going to commit, and leaves writers of other shards alone', async () => {
    await ownership.openShard(address, { shard, epoch: 4 });
    const writer = await application();
    writer.on('error', () => undefined);
    await writer.query('BEGIN');
    await writer.query(insert(1));
    const other = await administrator();
    await other.query('BEGIN');
    await other.query('SELECT pg_advisory_xact_lock_shared(1, 7)');
    await ownership.revokeShard(address, { shard, epoch: 5 });
    await expect(writer.query('COMMIT')).rejects.toThrow();
    await other.query('COMMIT');
  });

  test('refuses an epoch that the shard has left behind', async () => {
    await ownership.openShard(address, { shard, epoch: 4 });
    await expect(ownership.revokeShard(address, { shard, epoch: 3 })).rejects.toMatchObject({
      name: 'ConditionFailed',
    });
  });
});

describe('synchronous followers', () => {
  afterEach(() => ownership.setSynchronousFollowers(address, []));

  test('a commit waits for every name on the list, until the name is dropped', async () => {
    await ownership.openShard(address, { shard, epoch: 4 });
    const writer = await application();
    await ownership.setSynchronousFollowers(address, ['s0007e4', 's0001e2']);
    await expect(ownership.synchronousFollowers(address)).resolves.toEqual(['s0007e4', 's0001e2']);
    const written = writer.query(insert(1)).then(() => 'written');
    const watcher = await administrator();
    await watcher.query('SET synchronous_commit = local');
    await waitForRow(watcher, `SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'`);
    await ownership.setSynchronousFollowers(address, []);
    await expect(written).resolves.toBe('written');
    await expect(ownership.synchronousFollowers(address)).resolves.toEqual([]);
  });
});
