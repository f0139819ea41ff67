import type { Client } from 'pg';
import { comparePositions } from '../../../../core/cluster/position';
import type { DatabaseAddress } from '../../../../core/ports/database-engine';
import { waitUntil } from '../../../../engines/postgresql/condition';
import { postgresCapture } from '../../../../engines/postgresql/capture/capture';
import { freshDatabase, startTestServer, testClient, type TestServer } from '../../../support/postgres';
import { oddShard } from '../odd-tables';
import { flushing } from '../two-nodes';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ settings: { ...flushing.settings, max_prepared_transactions: '5' } });
});
afterAll(() => server.stop());

const shard = oddShard;
const schemas = ['shard_0007'];
const tables = `
  CREATE SCHEMA shard_0007; CREATE TABLE shard_0007.orders (id int PRIMARY KEY);
  CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.loose (id int); CREATE UNLOGGED TABLE shard_0007.scratch (id int)`;

let address: DatabaseAddress;
let client: Client;
beforeEach(async () => {
  address = await freshDatabase(server);
  client = await testClient(server, address);
  await client.query(tables);
});
afterEach(async () => {
  const { rows } = await client.query<{ slot: string }>(
    'SELECT slot_name AS slot FROM pg_replication_slots WHERE database = current_database()',
  );
  for (const { slot } of rows) {
    await postgresCapture(server.source).dropSlot(address, slot);
  }
  await client.end();
});

const published = async (): Promise<unknown[]> =>
  (
    await client.query(
      `SELECT pubname || ': ' || schemaname || '.' || tablename AS name FROM pg_publication_tables ORDER BY 1`,
    )
  ).rows.map(({ name }: { name: string }) => name);

test('a slot with a publication of the shard’s tables, one by one; opening it again changes nothing', async () => {
  const capture = postgresCapture(server.source);
  const opened = await capture.openSlot(address, { slot: 'open_1', shard, schemas });
  await client.query('INSERT INTO shard_0007.orders VALUES (1)');
  expect(await capture.openSlot(address, { slot: 'open_1', shard, schemas })).toBe(opened);
  expect(await published()).toEqual(['rejoin_shard_0007: shard_0007.orders']);
  const slot = await capture.slot(address, 'open_1');
  expect(slot).toMatchObject({ state: 'usable', confirmedTo: opened });
  expect(slot.lagBytes).toBeGreaterThan(0);
  // Updates of tables that are not the shard's go on without a key.
  await client.query('INSERT INTO elsewhere.loose VALUES (1); UPDATE elsewhere.loose SET id = 2');
});

test('tables that came later are added to the publication with the next slot', async () => {
  const capture = postgresCapture(server.source);
  await capture.openSlot(address, { slot: 'later_1', shard, schemas });
  await client.query('CREATE TABLE shard_0007."new table" (id int PRIMARY KEY)');
  await client.query('ALTER PUBLICATION rejoin_shard_0007 SET (publish_via_partition_root = true)');
  await capture.openSlot(address, { slot: 'later_2', shard, schemas });
  expect(await published()).toEqual([
    'rejoin_shard_0007: shard_0007.new table',
    'rejoin_shard_0007: shard_0007.orders',
  ]);
  expect((await client.query('SELECT pubviaroot FROM pg_publication')).rows).toEqual([{ pubviaroot: false }]);
});

test('several sessions may open the same slot at once', async () => {
  const capture = postgresCapture(server.source);
  const opened = await Promise.allSettled(
    [1, 2, 3].map(() => capture.openSlot(address, { slot: 'race_1', shard, schemas })),
  );
  const positions = opened.filter((one) => one.status === 'fulfilled').map(({ value }) => value);
  expect(new Set(positions).size).toBe(1);
  // One that found the slot half-made is told to try again.
  opened
    .filter((one) => one.status === 'rejected')
    .forEach(({ reason }) => {
      expect(reason).toMatchObject({ name: 'SqlUnavailable' });
    });
  expect(await capture.openSlot(address, { slot: 'race_1', shard, schemas })).toBe(positions[0]);
});

test.each([
  [
    'no primary key',
    'CREATE TABLE shard_0007.bad (id int)',
    "'shard_0007.bad' can't be restored: it has no primary key",
  ],
  [
    'a generated key',
    'CREATE TABLE shard_0007.bad (id int GENERATED ALWAYS AS (n + 1) STORED PRIMARY KEY, n int)',
    "column 'id' of its primary key is generated",
  ],
  [
    'no replica identity',
    'CREATE TABLE shard_0007.bad (id int PRIMARY KEY); ALTER TABLE shard_0007.bad REPLICA IDENTITY NOTHING',
    "'shard_0007.bad' can't be captured: its replica identity is nothing",
  ],
  [
    'another index as replica identity',
    `CREATE TABLE shard_0007.bad (id int PRIMARY KEY, other int NOT NULL, CONSTRAINT other UNIQUE (other));
     ALTER TABLE shard_0007.bad REPLICA IDENTITY USING INDEX other`,
    'replica identity is index on (other), which does not tell its primary key (id); run ALTER TABLE "shard_0007"."bad" REPLICA IDENTITY DEFAULT',
  ],
])('a table with %s is refused before anything is made', async (_name, sql, message) => {
  await client.query(sql);
  await expect(
    postgresCapture(server.source).openSlot(address, { slot: 'refused_1', shard, schemas }),
  ).rejects.toMatchObject({
    name: 'PreflightRefused',
    message: expect.stringContaining(message) as string,
  });
  expect(await published()).toEqual([]);
  expect((await client.query('SELECT FROM pg_publication')).rowCount).toBe(0);
  expect((await postgresCapture(server.source).slot(address, 'refused_1')).state).toBe('absent');
});

test('an index as replica identity that holds the primary key is handled, and so is FULL', async () => {
  await client.query(`
    CREATE TABLE shard_0007.a (id int PRIMARY KEY, other int NOT NULL, CONSTRAINT a_other UNIQUE (other, id));
    ALTER TABLE shard_0007.a REPLICA IDENTITY USING INDEX a_other;
    CREATE TABLE shard_0007.b (id int PRIMARY KEY, other int); ALTER TABLE shard_0007.b REPLICA IDENTITY FULL`);
  await postgresCapture(server.source).openSlot(address, { slot: 'full_1', shard, schemas });
  expect(await published()).toHaveLength(3);
});

test('opening waits for open write transactions; when that takes too long it names them and leaves no slot', async () => {
  const capture = postgresCapture(server.source, { openTimeoutMs: 500 });
  const order = { slot: 'waiting_1', shard, schemas };
  await client.query(`SET application_name = 'the long import'; BEGIN; INSERT INTO shard_0007.orders VALUES (1)`);
  await expect(capture.openSlot(address, order)).rejects.toMatchObject({
    name: 'SqlUnavailable',
    message: expect.stringMatching(
      /^slot 'waiting_1' could not be created within 500 ms: .* process \d+ \(the long import, in test_\d+, open for \d+ s\)/,
    ) as string,
  });
  expect((await capture.slot(address, 'waiting_1')).state).toBe('absent');
  await client.query(`PREPARE TRANSACTION 'forgotten'`);
  await expect(capture.openSlot(address, order)).rejects.toMatchObject({
    name: 'SqlUnavailable',
    message: expect.stringContaining("prepared transaction 'forgotten'") as string,
  });
  await client.query(`ROLLBACK PREPARED 'forgotten'`);
  await capture.openSlot(address, order);
  expect((await capture.slot(address, 'waiting_1')).state).toBe('usable');
});

test('advancing never goes back and never goes beyond the log', async () => {
  const capture = postgresCapture(server.source);
  const opened = await capture.openSlot(address, { slot: 'advance_1', shard, schemas });
  await client.query('INSERT INTO shard_0007.orders SELECT generate_series(1, 10)');
  const changes = await capture.peek(address, { slot: 'advance_1', shard, maxBytes: 1e6 });
  const to = changes?.to ?? '0/0';
  await capture.advance(address, { slot: 'advance_1', to });
  await capture.advance(address, { slot: 'advance_1', to });
  await capture.advance(address, { slot: 'advance_1', to: opened });
  expect(await capture.slot(address, 'advance_1')).toMatchObject({ confirmedTo: to });
  await expect(capture.advance(address, { slot: 'advance_1', to: 'FF/0' })).rejects.toMatchObject({
    name: 'SqlFailed',
    message: expect.stringContaining("can't be advanced to FF/0") as string,
  });
  expect(comparePositions(to, opened)).toBeGreaterThan(0);
});

test('a slot that is gone can be dropped again, and is lost to whoever reads it', async () => {
  const capture = postgresCapture(server.source);
  await capture.openSlot(address, { slot: 'dropped_1', shard, schemas });
  await capture.dropSlot(address, 'dropped_1');
  await capture.dropSlot(address, 'dropped_1');
  expect(await capture.slot(address, 'dropped_1')).toEqual({ state: 'absent', confirmedTo: null, lagBytes: null });
  const lost = { name: 'SlotLost', message: expect.stringContaining("slot 'dropped_1' is absent") as string };
  await expect(capture.peek(address, { slot: 'dropped_1', shard, maxBytes: 1e6 })).rejects.toMatchObject(lost);
  await expect(capture.advance(address, { slot: 'dropped_1', to: '0/1' })).rejects.toMatchObject(lost);
});

test('a slot of another database or plugin is not touched', async () => {
  const capture = postgresCapture(server.source);
  await client.query(`SELECT pg_create_logical_replication_slot('foreign_1', 'test_decoding')`);
  await expect(capture.openSlot(address, { slot: 'foreign_1', shard, schemas })).rejects.toMatchObject({
    name: 'SqlFailed',
    message: expect.stringContaining("plugin 'test_decoding'") as string,
  });
});

describe('a slot whose log was removed', () => {
  let small: TestServer;
  beforeAll(async () => {
    const settings = {
      ...flushing.settings,
      max_slot_wal_keep_size: '1MB',
      min_wal_size: '32MB',
      max_wal_size: '32MB',
      wal_keep_size: '0',
    };
    small = await startTestServer({ settings });
  });
  afterAll(() => small.stop());

  test('is lost, and opening it again makes a new one', async () => {
    const capture = postgresCapture(small.source);
    const place = await freshDatabase(small);
    const session = await testClient(small, place);
    await session.query(tables);
    const opened = await capture.openSlot(place, { slot: 'lost_1', shard, schemas });
    await session.query(`CREATE TABLE elsewhere.filler (v text)`);
    for (let round = 0; round < 4; round += 1) {
      await session.query(`INSERT INTO elsewhere.filler SELECT repeat('x', 1000) FROM generate_series(1, 16000)`);
      await session.query('SELECT pg_switch_wal()');
      await session.query('CHECKPOINT');
    }
    expect(await capture.slot(place, 'lost_1')).toEqual({ state: 'lost', confirmedTo: null, lagBytes: null });
    await expect(capture.peek(place, { slot: 'lost_1', shard, maxBytes: 1e6 })).rejects.toMatchObject({
      name: 'SlotLost',
      message: expect.stringContaining("slot 'lost_1' is lost (wal_removed)") as string,
    });
    const again = await capture.openSlot(place, { slot: 'lost_1', shard, schemas });
    expect(comparePositions(again, opened)).toBeGreaterThan(0);
    expect((await capture.slot(place, 'lost_1')).state).toBe('usable');
    await capture.dropSlot(place, 'lost_1');
    await session.end();
  });
});

test('how much log the slowest slot of the server holds back, and where its limit is', async () => {
  const capture = postgresCapture(server.source);
  await capture.openSlot(address, { slot: 'retained_1', shard, schemas });
  const before = await capture.retention(address);
  await client.query('INSERT INTO shard_0007.orders SELECT generate_series(1, 10000)');
  expect((await capture.retention(address)).retainedBytes).toBeGreaterThan(before.retainedBytes);
  for (const [setting, limitBytes] of [
    ['64MB', 67_108_864],
    ['-1', null],
  ] as const) {
    await client.query(`ALTER SYSTEM SET max_slot_wal_keep_size = '${setting}'`);
    await client.query('SELECT pg_reload_conf()');
    await waitUntil(async () => (await capture.retention(address)).limitBytes === limitBytes, {
      timeoutMs: 10_000,
      late: () => new Error(`the limit ${setting} was not taken`),
    });
  }
  await client.query('ALTER SYSTEM RESET max_slot_wal_keep_size');
  await client.query('SELECT pg_reload_conf()');
});
