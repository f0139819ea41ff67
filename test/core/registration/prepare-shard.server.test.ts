import type { Client } from 'pg';
import { systemClock } from '../../../adapters/system-clock';
import { prepareShard } from '../../../core/registration/prepare-shard';
import type { DatabaseAddress, DatabaseEngine } from '../../../core/ports/database-engine';
import { postgresEngine } from '../../../engines/postgresql/engine';
import { waitUntil } from '../../../engines/postgresql/condition';
import { PairOfServers } from '../../support/pair-of-servers';

const shard = 'shard_0007';
const name = 's0007e1';
const limits = { rowsPerChunk: 100, bytesPerChunk: 65_536, mayGoOn: () => true };
const plan = { id: shard, schemas: [shard], epoch: 1, primary: 'node-1', follower: 'node-2', served: false };

let servers: PairOfServers;
let engine: DatabaseEngine;
let primary: DatabaseAddress;
let follower: DatabaseAddress;
let onPrimary: Client;
let onFollower: Client;

const prepare = () =>
  prepareShard({ clock: systemClock, databases: engine }, { shard: plan, primary, follower }, limits);

beforeAll(async () => {
  servers = await PairOfServers.start();
  engine = postgresEngine(servers.source);
});

afterAll(() => servers.stop());

beforeEach(async () => {
  ({ primary, follower, onPrimary, onFollower } = await servers.freshDatabases());
  for (const client of [onPrimary, onFollower]) {
    await client.query(`
      CREATE SCHEMA shard_0007;
      CREATE TABLE shard_0007.orders (id bigserial PRIMARY KEY, note text);
      INSERT INTO shard_0007.orders (note) SELECT 'note ' || n FROM generate_series(1, 250) n;`);
  }
});

afterEach(async () => {
  await engine.stopFollowing(follower, name);
  await engine.dropSlot(primary, name);
  await onPrimary.end();
  await onFollower.end();
});

async function notesOnFollower(): Promise<readonly string[]> {
  const { rows } = await onFollower.query<{ note: string }>('SELECT note FROM shard_0007.orders WHERE id > 250');
  return rows.map((row) => row.note);
}

test('two copies of users are found, proved, closed, and replicated from then on', async () => {
  await expect(engine.holdings(follower, [shard, 'shard_0008'])).resolves.toEqual({
    schemas: [{ schema: shard, tables: ['orders'] }],
    subscriptions: [],
  });
  await expect(prepare()).resolves.toBe(250);
  await expect(engine.holdings(follower, [shard])).resolves.toMatchObject({ subscriptions: [name] });
  await expect(onPrimary.query(`INSERT INTO shard_0007.orders (note) VALUES ('early')`)).rejects.toMatchObject({
    code: 'RJ001',
  });
  await engine.openShard(primary, { shard, epoch: 1 });
  await onPrimary.query(`INSERT INTO shard_0007.orders (note) VALUES ('after')`);
  await waitUntil(async () => (await notesOnFollower()).length > 0, {
    timeoutMs: 20_000,
    late: () => new Error('the follower did not get the row'),
  });
  await expect(notesOnFollower()).resolves.toEqual(['after']);
});

test('once more changes nothing, also where it served meanwhile', async () => {
  await prepare();
  await engine.openShard(primary, { shard, epoch: 1 });
  await onPrimary.query(`INSERT INTO shard_0007.orders (note) VALUES ('between')`);
  await expect(prepare()).resolves.toBe(251);
  await expect(engine.shards(primary)).resolves.toEqual([{ shard, epoch: 1, writable: false }]);
});

test.each([
  [
    'a row is missing',
    'DELETE FROM shard_0007.orders WHERE id = 200',
    /has \d+ rows on node-1 and \d+ on node-2; load the same rows/,
  ],
  [
    'a value differs',
    "UPDATE shard_0007.orders SET note = 'x' WHERE id = 7",
    /, of another content; load the same rows/,
  ],
])('copies that differ are not proved: %s', async (_what, change, reason) => {
  await onFollower.query(change);
  await expect(prepare()).rejects.toMatchObject({
    name: 'NotProved',
    message: expect.stringMatching(reason) as string,
  });
});
