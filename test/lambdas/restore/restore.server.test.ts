import { BackupKeys, changesFolder } from '../../../core/backup/object-keys';
import { RealWorld, shards } from './real-world';

interface Restored {
  readonly rows: number;
  readonly chunks: number;
  readonly damagedChunks: number;
  readonly comparedRows: number;
  readonly rowsRepaired: number;
}

let world: RealWorld;

beforeAll(async () => {
  world = await RealWorld.open();
  expect(await world.run('full-backup')).toMatchObject({ status: 'SUCCEEDED', output: { outcome: 'recovered' } });
}, 120_000);
afterAll(async () => {
  await world.close();
});
beforeEach(async () => {
  world.onStep = async () => undefined;
  await world.empty();
});

async function backup(): Promise<string> {
  const [found] = await world.registry.backups('orders');
  return found?.id ?? '';
}

async function keysBelow(folder: string): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const { key } of world.backups.list(folder)) {
    keys.push(key);
  }
  return keys;
}

let tick = 0;
let writing: Promise<void> = Promise.resolve();

/** Whatever a client does, one after the other, though steps run beside each other. */
async function write(changes: number): Promise<void> {
  writing = writing.then(() => writeNow(changes));
  return writing;
}

/** Inserts, updates, deletes, large values that stay, and unique values that go from row to row. */
async function writeNow(changes: number): Promise<void> {
  for (let change = 0; change < changes; change += 1) {
    tick += 1;
    const shard = shards[(tick >> 1) % shards.length] ?? '';
    const id = 1 + ((tick * 37) % 3_000);
    const statements = [
      `INSERT INTO ${shard}.customer (id, email, note) VALUES (${10_000 + tick}, 'new-${tick}@example.com', 'new')`,
      `UPDATE ${shard}.customer SET note = 'changed ${tick}' WHERE id = ${id}`,
      `DELETE FROM ${shard}.purchase WHERE id = ${id}`,
      // A large value stays where it is, and is left out of the change.
      `UPDATE ${shard}.purchase SET amount = ${tick} WHERE id = ${50 * (1 + (tick % 100))}`,
    ];
    await world.onSurvivor.query(statements[(tick >> 2) % statements.length] ?? '');
    await passOnEmail(shard, id, 1 + ((id + 1_000) % 3_000));
  }
}

/** The second row gets the first one's unique value; the first a new one. */
async function passOnEmail(shard: string, from: number, to: number): Promise<void> {
  tick += 1;
  const sql = `SELECT email FROM ${shard}.customer WHERE id = ${from}`;
  const { rows } = await world.onSurvivor.query<{ email: string }>(sql);
  await world.onSurvivor.query(`UPDATE ${shard}.customer SET email = 'passed-on-${tick}' WHERE id = ${from}`);
  await world.onSurvivor.query(`UPDATE ${shard}.customer SET email = $1 WHERE id = ${to}`, [rows[0]?.email]);
}

/** Every row, each constraint and each index, the same on both sides. */
async function expectSame(): Promise<void> {
  await world.followToTheEnd();
  const [right, got] = [await world.content('survivor'), await world.content('replacement')];
  const [missing, extra] = [right.filter((row) => !got.includes(row)), got.filter((row) => !right.includes(row))];
  expect({ missing, extra, rows: got.length }).toEqual({ missing: [], extra: [], rows: right.length });
  const constraints = `SELECT conrelid::regclass || ' ' || conname || ' ' || contype::text || ' ' || convalidated AS name
     FROM pg_constraint WHERE connamespace::regnamespace::text LIKE 'shard%' AND contype IN ('p', 'u', 'f') ORDER BY 1`;
  const indexes = `SELECT indexdef AS name FROM pg_indexes WHERE schemaname LIKE 'shard%' ORDER BY 1`;
  for (const sql of [constraints, indexes]) {
    expect(await world.onReplacement(sql)).toEqual((await world.onSurvivor.query(sql)).rows);
  }
}

test('from a backup, with stored segments and writes that go on', async () => {
  await write(200);
  expect(await world.run('change-backup')).toMatchObject({ status: 'SUCCEEDED', cause: null });
  world.onStep = () => write(10);
  const result = await world.restore({ kind: 'backup', backupId: await backup() });
  world.onStep = async () => undefined;
  expect(result.cause).toBeNull();
  const restored = result.output as unknown as Restored;
  expect(restored).toMatchObject({ damagedChunks: 0, rowsRepaired: 0 });
  expect(restored.chunks).toBeGreaterThan(10);
  expect(restored.comparedRows).toBeGreaterThan(15_000);
  await expectSame();
}, 120_000);

test('from the survivor, when there is no backup', async () => {
  world.onStep = () => write(5);
  const result = await world.restore({ kind: 'survivor', backupId: null });
  world.onStep = async () => undefined;
  expect(result.cause).toBeNull();
  expect(result.output).toMatchObject({ rowsRepaired: 0 });
  await expectSame();
}, 120_000);

test('from a snapshot, over whose rows the stored changes are replayed; a shard that it lacks comes from the backup', async () => {
  // A row is stored with a unique value that another row has in the snapshot: replayed, both would have it for a while.
  await world.onSurvivor.query(`UPDATE shard_0000.customer SET note = 'touched' WHERE id = 700`);
  expect(await world.run('change-backup')).toMatchObject({ status: 'SUCCEEDED', cause: null });
  await passOnEmail('shard_0000', 700, 701);
  expect(await world.restore({ kind: 'survivor', backupId: null })).toMatchObject({ cause: null });
  await world.becomeSnapshot();
  await world.databases.dropShard(world.replacement, { shard: 'shard_0001', schemas: ['shard_0001'] });
  const [stale] = await world.onReplacement<{ rows: string }>('SELECT count(*) AS rows FROM shard_0000.customer');
  await write(200);
  await world.onSurvivor.query('UPDATE shard_0000.purchase SET id = id + 500000 WHERE id % 100 = 77');
  expect(await world.run('change-backup')).toMatchObject({ status: 'SUCCEEDED', cause: null });
  world.onStep = () => write(10);
  const result = await world.restore({ kind: 'rds snapshot', backupId: await backup() });
  world.onStep = async () => undefined;
  expect(result.cause).toBeNull();
  const restored = result.output as unknown as Restored;
  expect(restored).toMatchObject({ rowsRepaired: 0 });
  // Of one shard only.
  expect(restored.rows).toBeGreaterThan(0);
  expect(restored.rows).toBeLessThan(restored.comparedRows - Number(stale?.rows ?? 0));
  await expectSame();
}, 120_000);

test('from a snapshot, where nothing was stored since: what changed is found by content', async () => {
  expect(await world.restore({ kind: 'survivor', backupId: null })).toMatchObject({ cause: null });
  await world.becomeSnapshot();
  await write(40);
  const result = await world.restore({ kind: 'rds snapshot', backupId: null });
  expect(result.cause).toBeNull();
  const restored = result.output as unknown as Restored;
  expect(restored.rows).toBe(0);
  expect(restored.rowsRepaired).toBeGreaterThan(0);
  await expectSame();
}, 120_000);

test('a damaged chunk is read from the survivor instead', async () => {
  const [damaged = ''] = await keysBelow(new BackupKeys('orders', await backup()).chunkFolder('shard_0001'));
  const before = await world.backups.read(damaged);
  await world.backups.write(damaged, Buffer.concat([before.subarray(0, -1), Buffer.from([1 ^ (before.at(-1) ?? 0)])]));
  const result = await world.restore({ kind: 'backup', backupId: await backup() });
  await world.backups.write(damaged, before);
  expect(result.cause).toBeNull();
  expect(result.output).toMatchObject({ damagedChunks: 1 });
  await expectSame();
}, 120_000);

test('what no segment has is found by content, repaired and counted; deletes hold', async () => {
  // As after a promotion: the lineage ended, and what was written since is in no segment.
  await world.run('change-backup');
  for (const slot of await world.registry.slots('orders')) {
    await world.registry.remove('orders', { kind: 'SLOT', value: slot });
    await world.databases.dropSlot({ ...world.replacement, ...(await survivorAddress()) }, slot.name);
  }
  await world.onSurvivor.query(`DELETE FROM shard_0000.purchase WHERE id BETWEEN 100 AND 119`);
  await world.onSurvivor.query(`UPDATE shard_0000.customer SET note = 'in no segment' WHERE id BETWEEN 200 AND 209`);
  await world.onSurvivor.query(
    `INSERT INTO shard_0001.customer (id, email, note) SELECT id, 'gap-' || id, 'gap' FROM generate_series(900001, 900400) id`,
  );
  // A stale row holds what a new one has: only after the repair can it be unique again.
  await passOnEmail('shard_0000', 300, 301);
  const result = await world.restore({ kind: 'backup', backupId: await backup() });
  expect(result.cause).toBeNull();
  const { rowsRepaired } = result.output as unknown as Restored;
  expect(rowsRepaired).toBeGreaterThanOrEqual(20 + 10 + 400 + 2);
  await expectSame();
}, 120_000);

test('a difference that was planted while rows are compared is found, and repaired', async () => {
  let planted = false;
  world.onStep = async (state) => {
    if (state === 'Compare rows of a shard' && !planted) {
      planted = true;
      await world.onReplacement(`SET session_replication_role = replica;
        UPDATE shard_0000.customer SET note = 'planted' WHERE id = (SELECT min(id) FROM shard_0000.customer);
        DELETE FROM shard_0001.purchase WHERE id = (SELECT min(id) FROM shard_0001.purchase);
        INSERT INTO shard_0001.customer (id, email, note) VALUES (800000, 'planted', 'planted')`);
    }
  };
  const result = await world.restore({ kind: 'survivor', backupId: null });
  expect(result.cause).toBeNull();
  expect(result.output).toMatchObject({ rowsRepaired: 3 });
  await expectSame();
}, 120_000);

test('captures of changes lead on from the backup, whole', async () => {
  expect((await keysBelow(changesFolder('orders'))).length).toBeGreaterThan(1);
});

async function survivorAddress() {
  const { host, port, id } = await world.registry.node('orders', 'node-1');
  return { host, port, nodeId: id };
}
