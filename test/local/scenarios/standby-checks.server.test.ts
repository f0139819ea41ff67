import type { Shard } from '../../../core/cluster/items';
import { standbyName } from '../../../core/cluster/names';
import { postgresEngine } from '../../../engines/postgresql/engine';
import { writableShards, type CheckedServer } from '../../../local/scenarios/node-recovery/content';
import { acceptedWrites, standbysThatStream } from '../../../local/scenarios/node-recovery/standby-checks';
import { eventually } from '../../contract/gaps';
import { startTestServer, testClient, type TestServer } from '../../support/postgres';

const shard: Shard = {
  id: 'shard_0000',
  schemas: ['public'],
  epoch: 1,
  primary: 'node-1',
  follower: null,
  version: 1,
  state: 'in sync',
  fence: null,
};
const settings = { full_page_writes: 'on', wal_retrieve_retry_interval: '200ms' };
const whole = { expected: 1, inSync: true };

let primary: TestServer;
let standby: TestServer;
let servers: CheckedServer[];

beforeAll(async () => {
  primary = await startTestServer({ nodeId: 'node-1', settings, durable: true });
  const client = await testClient(primary, primary.address);
  await client.query('CREATE TABLE item (id integer PRIMARY KEY)');
  await client.end();
  const engine = postgresEngine(primary.source);
  const { id, schemas, epoch } = shard;
  await engine.installShard(primary.address, { shard: id, schemas, epoch, writable: true });
  standby = await startTestServer({ nodeId: 'node-2', settings, durable: true, standbyOf: primary });
  servers = [primary, standby].map(({ address, credentials }) => ({ ...address, administrator: credentials }));
});

afterAll(async () => {
  await Promise.all([primary.stop(), standby.stop()]);
});

const facts = () => ({ shards: [shard], servers, application: primary.credentials });
let key = 0;
const insert = () => `INSERT INTO item VALUES (${(key += 1)})`;

test('a standby that receives nothing is seen, and so is one that streams', async () => {
  const engine = postgresEngine(primary.source);
  expect(await standbysThatStream(facts(), whole)).toMatchObject({
    ok: false,
    got: '0; node-1 feeds 0, node-2 is a standby that receives nothing',
  });
  await engine.standBehind(standby.address, { name: standbyName('node-2'), primary: primary.address });
  const made = await eventually(
    () => standbysThatStream(facts(), whole),
    ({ ok }) => ok,
  );
  expect(made).toMatchObject({ expected: '1', got: '1' });
});

test('a cluster with a node too few, or that is not in sync, is not whole', async () => {
  expect(await standbysThatStream(facts(), { expected: 2, inSync: true })).toMatchObject({ ok: false });
  expect(await standbysThatStream(facts(), { expected: 1, inSync: false })).toMatchObject({ ok: false });
});

test('a standby takes no write, though its bookkeeping, which is its primary’s, says so', async () => {
  expect(await acceptedWrites(facts(), insert)).toMatchObject({ ok: true, got: 'node-1' });
  expect(await Promise.all(servers.map(writableShards))).toEqual([[shard.id], []]);
});

test('two servers that take writes are seen', async () => {
  await postgresEngine(primary.source).promoteStandby(standby.address, { timeoutMs: 30_000 });
  expect(await acceptedWrites(facts(), insert)).toMatchObject({ ok: false, expected: 'node-1', got: 'node-1, node-2' });
  expect(await Promise.all(servers.map(writableShards))).toEqual([[shard.id], [shard.id]]);
  expect(await standbysThatStream(facts(), whole)).toMatchObject({
    ok: false,
    got: expect.stringContaining('node-2 is a primary') as string,
  });
});
