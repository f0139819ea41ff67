import { join } from 'node:path';
import { comparePositions } from '../../../../core/cluster/position';
import { waitUntil } from '../../../../engines/postgresql/condition';
import { loadDump } from '../../../../engines/postgresql/dump/load-dump';
import { postgresEngine } from '../../../../engines/postgresql/engine';
import { freshDatabase, startTestServer, testClient, type TestServer } from '../../../support/postgres';

const shard = 'shard_0000';
const slot = 's0000e1';
const settings = { synchronous_commit: 'on' };
const bounds = { rowsPerChunk: 10, bytesPerChunk: 65_536 };

let from: TestServer;
let to: TestServer;

beforeAll(async () => {
  [from, to] = await Promise.all([
    startTestServer({ cluster: 'from', settings }),
    startTestServer({ cluster: 'to', nodeId: 'node-2', settings }),
  ]);
});

afterAll(async () => {
  await from.stop();
  await to.stop();
});

/** Waits for something of the server, 30 s at most. */
async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  await waitUntil(holds, { timeoutMs: 30_000, late: () => new Error(`not in 30 s: ${what}`), pollMs: 50 });
}

test("a user's dump goes the whole logical way to a second owner, and on to steady replication", async () => {
  const engine = postgresEngine({
    credentials: async (cluster) => (cluster === 'from' ? from : to).credentials,
    certificateAuthority: async () => null,
  });
  const [primary, follower] = [await freshDatabase(from), await freshDatabase(to)];
  for (const server of [from, to]) {
    const client = await testClient(server, server.address);
    await client.query('CREATE ROLE shop_owner; CREATE ROLE "Report ing"');
    await client.end();
  }
  const file = join(__dirname, 'fixtures', 'shop-copy.sql');
  const { schemas } = await loadDump(engineSource(), primary, file, () => undefined);
  const writer = await testClient(from, primary);
  // Foreign keys are checked as the owner of the table that they point to.
  await writer.query('GRANT USAGE ON SCHEMA sales TO shop_owner; SET search_path = sales, public');
  const schema = await engine.describe(primary, schemas);
  await engine.installShard(primary, { shard, schemas, epoch: 1, writable: true });

  // Slot first, then tables and chunks, while somebody writes.
  const opened = await engine.openSlot(primary, { slot, shard, schemas });
  await writer.query(`UPDATE customers SET name = name || '!' WHERE id = 4`);
  await engine.createTables(follower, { shard, epoch: 1, schema });
  for (const [index, { range, columns }] of (await engine.planRanges(primary, { schemas, ...bounds })).entries()) {
    const { body } = await engine.readRange(primary, { range, columns, maxBytes: 1_000_000 });
    await engine.loadRows(follower, { loadId: `load-${index}`, shard, range, columns, body });
    await writer.query(`INSERT INTO orders (customer, total) VALUES (1, ${index})`);
  }
  for (const part of ['keys', 'indexes'] as const) {
    await engine.startIndexes(follower, { shard, schema, part });
    await eventually(part, async () => {
      const progress = await engine.indexProgress(follower, { shard, schema, part });
      expect(progress.failed).toEqual([]);
      return progress.built === progress.total;
    });
  }

  let applied = opened;
  for (let changes = await engine.peek(primary, { slot, shard, maxBytes: 1_000_000 }); changes !== null;) {
    await engine.applyChanges(follower, { shard, lineage: slot, body: changes.body, to: changes.to });
    await engine.advance(primary, { slot, to: changes.to });
    applied = changes.to;
    changes = await engine.peek(primary, { slot, shard, maxBytes: 1_000_000 });
  }
  await engine.finishTables(follower, { shard, schema });
  expect(await engine.describe(follower, schemas)).toEqual(schema);

  // The same slot goes over to native replication.
  await writer.query(`DELETE FROM orders WHERE id = 30`);
  await engine.follow(follower, { name: slot, shard, primary, from: applied });
  await writer.query(`INSERT INTO customers (email, name) VALUES ('new@example.com', 'New')`);
  await writer.end();
  const marker = await engine.writeMarker(primary, shard);
  await eventually('the follower has everything', async () => {
    const { flushedTo } = await engine.followerState(primary, slot);
    return flushedTo !== null && comparePositions(flushedTo, marker) >= 0;
  });
  for (const { range } of await engine.planRanges(primary, { schemas, ...bounds, rowsPerChunk: 1_000_000 })) {
    const [here, there] = [await engine.checksum(primary, range), await engine.checksum(follower, range)];
    expect([range.table, there]).toEqual([range.table, here]);
  }

  // And the follower takes over: its sequences go on where the rows end.
  await engine.closeShard(primary, { shard, epoch: 2, drainTimeoutMs: 5_000 });
  await engine.pauseFollowing(follower, slot);
  const startedAt = performance.now();
  await engine.openShard(follower, { shard, epoch: 2 });
  expect(performance.now() - startedAt).toBeLessThan(2_000);
  const promoted = await testClient(to, follower);
  await promoted.query(`SET rejoin.epoch = '2'`);
  const { rows } = await promoted.query<{ id: string }>(
    `INSERT INTO sales.customers (email, name) VALUES ('first@example.com', 'After') RETURNING id`,
  );
  expect(rows).toEqual([{ id: '6' }]);
  await promoted.query('INSERT INTO sales.orders (customer, total) VALUES (6, 1)');
  await promoted.end();
  await engine.stopFollowing(follower, slot);
});

function engineSource() {
  return { credentials: async () => from.credentials, certificateAuthority: async () => null };
}
