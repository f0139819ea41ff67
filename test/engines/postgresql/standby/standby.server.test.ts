import { readFile } from 'node:fs/promises';
import { comparePositions } from '../../../../core/cluster/position';
import type { DatabaseEngine, StandbyState } from '../../../../core/ports/database-engine';
import { postgresEngine } from '../../../../engines/postgresql/engine';
import { eventually } from '../../../contract/gaps';
import { startTestServer, testClient, type TestServer } from '../../../support/postgres';

/** A standby's data can only be copied where its primary writes full pages. */
const settings = { full_page_writes: 'on', wal_retrieve_retry_interval: '200ms' };

let primary: TestServer;
let second: TestServer;
let third: TestServer;
let engine: DatabaseEngine;
const servers: TestServer[] = [];

async function started(nodeId: string, standbyOf?: TestServer): Promise<TestServer> {
  const server = await startTestServer({
    nodeId,
    settings,
    tls: true,
    durable: true,
    ...(standbyOf === undefined ? {} : { standbyOf }),
  });
  servers.push(server);
  return server;
}

beforeAll(async () => {
  primary = await started('node-1');
  engine = postgresEngine(primary.source);
  await run(primary, 'CREATE TABLE item (id integer PRIMARY KEY, value text); INSERT INTO item VALUES (1, $$one$$)');
  second = await started('node-2', primary);
  third = await started('node-3', primary);
});

afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
});

async function run(server: TestServer, sql: string): Promise<unknown[]> {
  const client = await testClient(server, server.address);
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

function state(server: TestServer, wanted: (state: StandbyState) => boolean): Promise<StandbyState> {
  return eventually(() => engine.standbyState(server.address), wanted);
}

/** Writes on the primary and waits until a standby shows it. */
async function follows(standby: TestServer, from: TestServer): Promise<void> {
  await run(from, 'INSERT INTO item SELECT max(id) + 1, $$more$$ FROM item');
  const position = await engine.position(from.address);
  await state(standby, ({ replayedTo }) => replayedTo !== null && comparePositions(replayedTo, position) >= 0);
  expect(await run(standby, 'SELECT max(id) FROM item')).toEqual(await run(from, 'SELECT max(id) FROM item'));
}

const slotsOf = (server: TestServer): Promise<unknown[]> =>
  run(server, 'SELECT slot_name, slot_type, active FROM pg_replication_slots ORDER BY slot_name');

test('a copy of a primary is a standby that receives nothing by itself', async () => {
  expect(await engine.standbyState(second.address)).toMatchObject({ standby: true, streaming: false });
  expect(await slotsOf(second)).toEqual([]);
  await expect(run(second, 'INSERT INTO item VALUES (0)')).rejects.toThrow('read-only transaction');
});

test('a standby receives the log of its primary, and repeating the order changes nothing', async () => {
  const order = { name: 'rejoin_node_2', primary: primary.address };
  await engine.standBehind(second.address, order);
  await state(second, ({ streaming }) => streaming);
  await follows(second, primary);
  const receiver = 'SELECT pid FROM pg_stat_wal_receiver';
  const before = await run(second, receiver);
  await engine.standBehind(second.address, order);
  expect(await run(second, receiver)).toEqual(before);
  expect(await slotsOf(primary)).toEqual([{ slot_name: 'rejoin_node_2', slot_type: 'physical', active: true }]);
  expect(await engine.streamingFollowers(primary.address)).toEqual(['rejoin_node_2']);
});

test('the password is in no line of the log, and the log speaks again', async () => {
  const password = primary.credentials.password;
  expect(await run(second, 'SHOW primary_conninfo')).toMatchObject([
    { primary_conninfo: expect.stringContaining(password) as string },
  ]);
  await expect(run(second, 'SELECT broken')).rejects.toThrow('broken');
  const log = await eventually(
    () => readFile(second.server.order.logFile, 'utf8'),
    (text) => text.includes('column "broken" does not exist'),
  );
  expect(log).not.toContain(password);
  expect(await readFile(primary.server.order.logFile, 'utf8')).not.toContain(password);
});

test('the operator’s own log level stays as it was', async () => {
  await run(third, `ALTER SYSTEM SET log_min_messages = 'error'`);
  await engine.standBehind(third.address, { name: 'rejoin_node_3', primary: primary.address });
  await state(third, ({ streaming }) => streaming);
  await follows(third, primary);
  const shown = await eventually(
    () => run(third, `SELECT current_setting('log_min_messages') AS level`),
    ([row]) => JSON.stringify(row).includes('error'),
  );
  expect(shown).toEqual([{ level: 'error' }]);
});

test('what reads a node reads a standby', async () => {
  await engine.installShard(primary.address, { shard: 'shard_0000', schemas: ['public'], epoch: 3, writable: true });
  await run(primary, 'CREATE TABLE loose (id integer)');
  await follows(second, primary);
  const { address } = second;
  expect(await engine.shards(primary.address)).toEqual([{ shard: 'shard_0000', epoch: 3, writable: true }]);
  expect(await engine.shards(address)).toEqual([{ shard: 'shard_0000', epoch: 3, writable: false }]);
  expect(await engine.probe(address, 5_000)).toMatchObject({ verdict: 'answers' });
  expect(await engine.holdings(address, ['public'])).toMatchObject({
    schemas: [{ schema: 'public', tables: ['item', 'loose'] }],
  });
  expect(await engine.preflight(address, ['public'])).toEqual(await engine.preflight(primary.address, ['public']));
  expect(await engine.retention(address)).toMatchObject({ retainedBytes: 0 });
  const order = { schemas: ['public'], rowsPerChunk: 2, bytesPerChunk: 100_000 };
  await expect(engine.planRanges(address, order)).rejects.toMatchObject({
    name: 'PreflightRefused',
    message: expect.stringContaining("'public.loose'") as string,
  });
  const leftOut = await engine.planRanges(address, { ...order, withoutKey: 'left out' });
  expect([...new Set(leftOut.map(({ range }) => range.table))]).toEqual(['item']);
  await run(primary, 'DROP TABLE loose');
  await follows(second, primary);
  const planned = await engine.planRanges(address, order);
  expect(planned).toEqual(await engine.planRanges(primary.address, order));
  for (const { range } of planned) {
    expect(await engine.checksum(address, range)).toEqual(await engine.checksum(primary.address, range));
    const digests = await engine.digests(address, range);
    expect(digests).toEqual(await engine.digests(primary.address, range));
    const keys = digests.map(({ key }) => key);
    expect(await engine.rowDigests(address, { range, keys })).toEqual(
      await engine.rowDigests(primary.address, { range, keys }),
    );
  }
  await engine.setSynchronousFollowers(address, ['rejoin_node_9']);
  expect(await engine.synchronousFollowers(address)).toEqual(['rejoin_node_9']);
  await engine.setSynchronousFollowers(address, []);
  await expect(engine.openShard(address, { shard: 'shard_0000', epoch: 4 })).rejects.toMatchObject({
    name: 'SqlFailed',
  });
});

test('how far back its log goes is known of a server, whether or not it is a standby, unless an archive has all', async () => {
  const beforeMs = Date.now();
  await run(primary, 'SELECT pg_switch_wal()');
  await run(primary, 'CHECKPOINT');
  const keptFromMs = (await engine.logKeptFromMs(primary.address)) ?? Number.NaN;
  expect(keptFromMs).toBeGreaterThan(beforeMs - 3_600_000);
  expect(keptFromMs).toBeLessThanOrEqual(Date.now());
  expect(await engine.logKeptFromMs(second.address)).toEqual(expect.any(Number));
  await run(second, `ALTER SYSTEM SET restore_command = 'false'`);
  await run(second, 'SELECT pg_reload_conf()');
  await eventually(
    () => engine.logKeptFromMs(second.address),
    (fromMs) => fromMs === null,
  );
  await run(second, 'ALTER SYSTEM RESET restore_command');
  await run(second, 'SELECT pg_reload_conf()');
});

test('a standby that restarts without its primary knows what it has, and goes on when it is back', async () => {
  const before = await engine.standbyState(second.address);
  await primary.kill();
  await second.restart();
  const alone = await state(second, ({ replayedTo }) => replayedTo === before.receivedTo);
  expect(alone).toEqual({ ...before, streaming: false, receivedTo: before.receivedTo });
  await primary.restart();
  await state(second, ({ streaming }) => streaming);
  await follows(second, primary);
});

test('a standby is promoted, repeatedly, and the other one goes on behind it', async () => {
  await state(third, ({ streaming }) => streaming);
  await follows(third, primary);
  await primary.kill();
  await engine.promoteStandby(second.address, { timeoutMs: 20_000 });
  await engine.promoteStandby(second.address, { timeoutMs: 20_000 });
  expect(await engine.standbyState(second.address)).toEqual({
    standby: false,
    streaming: false,
    receivedTo: null,
    replayedTo: null,
  });
  await engine.openShard(second.address, { shard: 'shard_0000', epoch: 4 });
  await engine.standBehind(third.address, { name: 'rejoin_node_3', primary: second.address });
  await state(third, ({ streaming }) => streaming);
  await follows(third, second);
  expect(await engine.shards(third.address)).toEqual([{ shard: 'shard_0000', epoch: 4, writable: false }]);
  expect(await run(third, 'SELECT received_tli FROM pg_stat_wal_receiver')).toEqual([{ received_tli: 2 }]);
});

test('a copy of a standby is a standby of its own, without the slots and the primary of the one it was copied from', async () => {
  const fourth = await started('node-4', third);
  expect(await run(fourth, 'SHOW primary_conninfo')).toEqual([{ primary_conninfo: '' }]);
  await engine.standBehind(fourth.address, { name: 'rejoin_node_3_r1', primary: second.address });
  await state(fourth, ({ streaming }) => streaming);
  await follows(fourth, second);
  expect(await engine.streamingFollowers(second.address)).toEqual(['rejoin_node_3', 'rejoin_node_3_r1']);
});

test('a standby that needs log which its primary has removed is refused by name', async () => {
  const late = await started('node-5', second);
  for (let segment = 0; segment < 3; segment += 1) {
    await run(second, 'INSERT INTO item SELECT max(id) + 1, $$more$$ FROM item; SELECT pg_switch_wal()');
    await run(second, 'CHECKPOINT');
  }
  const order = { name: 'rejoin_node_5', primary: second.address };
  await expect(engine.standBehind(late.address, order)).rejects.toMatchObject({
    name: 'SlotLost',
    message: expect.stringContaining("needs the log of 'node-2' from") as string,
  });
});

test('a standby that has more than its new primary had is refused by name, and its settings stay', async () => {
  const fourth = servers.find((server) => server.address.nodeId === 'node-4') ?? third;
  await engine.forgetStandby(second.address, 'rejoin_node_3');
  await state(third, ({ streaming }) => !streaming);
  await follows(fourth, second);
  await second.kill();
  await engine.promoteStandby(third.address, { timeoutMs: 20_000 });
  const before = await run(fourth, 'SHOW primary_conninfo');
  await expect(
    engine.standBehind(fourth.address, { name: 'rejoin_node_3_r1', primary: third.address }),
  ).rejects.toMatchObject({
    name: 'SqlFailed',
    message: expect.stringMatching(/node 'node-4' has received log up to .* of 'node-3' up to .* only/) as string,
  });
  expect(await run(fourth, 'SHOW primary_conninfo')).toEqual(before);
  expect(await slotsOf(third)).toEqual([]);
});
