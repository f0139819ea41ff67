import { systemClock } from '../../../adapters/system-clock';
import { standbyName } from '../../../core/cluster/names';
import { prepareReplicated } from '../../../core/registration/prepare-replicated';
import type { DatabaseEngine } from '../../../core/ports/database-engine';
import { postgresEngine } from '../../../engines/postgresql/engine';
import { startTestServer, testClient, type TestServer } from '../../support/postgres';

const plan = { id: 'shard_0000', schemas: ['shop'], epoch: 1, primary: 'node-1', follower: null, served: false };
const settings = { full_page_writes: 'on' };

let primary: TestServer;
let standby: TestServer;
let engine: DatabaseEngine;

beforeAll(async () => {
  primary = await startTestServer({ nodeId: 'node-1', settings, durable: true });
  engine = postgresEngine(primary.source);
  await run(primary, 'CREATE SCHEMA shop; CREATE TABLE shop.item (value text); CREATE SCHEMA empty');
  standby = await startTestServer({ nodeId: 'node-2', settings, durable: true, standbyOf: primary });
  await engine.standBehind(standby.address, { name: standbyName('node-2'), primary: primary.address });
});

afterAll(async () => {
  await Promise.all([primary.stop(), standby.stop()]);
});

async function run(server: TestServer, sql: string): Promise<unknown[]> {
  const client = await testClient(server, server.address);
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

test('all schemas of users are found, on the standby too, and not those of the server or of Rejoin', async () => {
  for (const server of [primary, standby]) {
    const { schemas } = await engine.holdings(server.address, 'all');
    expect(schemas).toEqual([
      { schema: 'empty', tables: [] },
      { schema: 'public', tables: [] },
      { schema: 'shop', tables: ['item'] },
    ]);
  }
});

test('the primary gets the write check and stays open; the standby shows it, and accepts nothing', async () => {
  const prepare = () =>
    prepareReplicated(
      { clock: systemClock, databases: engine },
      { shard: plan, primary: primary.address, standbys: [standby.address] },
    );
  await prepare();
  const shard = { shard: 'shard_0000', epoch: 1 };
  expect(await engine.shards(primary.address)).toEqual([{ ...shard, writable: true }]);
  expect(await engine.shards(standby.address)).toEqual([{ ...shard, writable: false }]);
  await run(primary, "SET rejoin.epoch = '1'; INSERT INTO shop.item VALUES ('one')");
  await expect(run(primary, "SET rejoin.epoch = '2'; INSERT INTO shop.item VALUES ('two')")).rejects.toMatchObject({
    code: 'RJ002',
  });
  expect((await engine.holdings(primary.address, 'all')).schemas.map(({ schema }) => schema)).not.toContain('rejoin');
  await prepare();
  expect(await engine.shards(primary.address)).toEqual([{ ...shard, writable: true }]);
});
