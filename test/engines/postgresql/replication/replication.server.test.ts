import type { Client } from 'pg';
import { comparePositions } from '../../../../core/cluster/position';
import type { DatabaseAddress } from '../../../../core/ports/database-engine';
import { waitUntil } from '../../../../engines/postgresql/condition';
import { postgresOwnership } from '../../../../engines/postgresql/ownership/ownership';
import { postgresProbing } from '../../../../engines/postgresql/probing/probing';
import { postgresReplication } from '../../../../engines/postgresql/replication/replication';
import { postgresRows } from '../../../../engines/postgresql/rows/rows';
import { PairOfServers } from '../../../support/pair-of-servers';
import { testClient } from '../../../support/postgres';

const shard = 'shard_0007';
const name = 's0007e4';
const table = `
  CREATE SCHEMA shard_0007;
  CREATE TABLE shard_0007.orders (id bigint PRIMARY KEY, note text);`;

let servers: PairOfServers;
let primary: DatabaseAddress;
let follower: DatabaseAddress;
let onPrimary: Client;
let onFollower: Client;
let from: string;

const engine = () => ({
  ...postgresReplication(servers.source),
  ...postgresOwnership(servers.source),
  ...postgresProbing(servers.source),
  ...postgresRows(servers.source),
});
beforeAll(async () => {
  servers = await PairOfServers.start();
});

afterAll(() => servers.stop());

beforeEach(async () => {
  ({ primary, follower, onPrimary, onFollower } = await servers.freshDatabases());
  // What follows the slot must not wait for it.
  await onPrimary.query('SET synchronous_commit = local');
  await onPrimary.query(`${table} CREATE PUBLICATION rejoin_shard_0007 FOR TABLE shard_0007.orders`);
  await onPrimary.query(`SELECT pg_create_logical_replication_slot('${name}', 'pgoutput')`);
  // Captured and applied before the hand-over: native replication must not bring them again.
  await onPrimary.query(`INSERT INTO shard_0007.orders VALUES (1, 'captured')`);
  await onFollower.query(`${table} INSERT INTO shard_0007.orders VALUES (1, 'captured')`);
  from = await engine().position(primary);
  await engine().installShard(primary, { shard, schemas: [shard], epoch: 4, writable: true });
  await engine().installShard(follower, { shard, schemas: [shard], epoch: 4, writable: false });
});

afterEach(async () => {
  await engine().setSynchronousFollowers(primary, []);
  await engine().stopFollowing(follower, name);
  await onFollower.end();
  await onPrimary.query(
    `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '${name}' AND active`,
  );
  await eventually('the slot is free', async () => {
    await onPrimary.query(`SELECT pg_drop_replication_slot('${name}')`).catch(() => undefined);
    return (await onPrimary.query(`SELECT FROM pg_replication_slots WHERE slot_name = '${name}'`)).rowCount === 0;
  });
  await onPrimary.end();
});

async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  await waitUntil(holds, { timeoutMs: 20_000, late: () => new Error(`not in 20 s: ${what}`) });
}

async function notes(): Promise<readonly string[]> {
  const { rows } = await onFollower.query<{ note: string }>('SELECT note FROM shard_0007.orders ORDER BY id');
  return rows.map((row) => row.note);
}

async function flushed(position: string): Promise<void> {
  await eventually(`the follower flushed ${position}`, async () => {
    const { flushedTo } = await engine().followerState(primary, name);
    return flushedTo !== null && comparePositions(flushedTo, position) >= 0;
  });
}

const following = () => engine().follow(follower, { name, shard, primary, from });

test('a follower goes on where the passes ended, and applies nothing twice', async () => {
  await onPrimary.query(`INSERT INTO shard_0007.orders VALUES (2, 'after')`);
  await following();
  await flushed(await engine().writeMarker(primary, shard));
  await expect(notes()).resolves.toEqual(['captured', 'after']);
  const { rows } = await onFollower.query<{ apply_error_count: string }>(
    'SELECT apply_error_count FROM pg_stat_subscription_stats',
  );
  expect(rows[0]?.apply_error_count).toBe('0');
});

test('following again changes nothing, and a run that was cut off before enabling is taken up', async () => {
  await following();
  await flushed(await engine().writeMarker(primary, shard));
  await engine().pauseFollowing(follower, name);
  await onPrimary.query(`INSERT INTO shard_0007.orders VALUES (2, 'after')`);
  // The origin is past `from` by now: going back would apply again what is there.
  await following();
  await following();
  await flushed(await engine().writeMarker(primary, shard));
  await expect(notes()).resolves.toEqual(['captured', 'after']);
});

test('how far native replication has come is known on both sides, and stays known when the primary is gone', async () => {
  const appliedTo = () => engine().appliedTo(follower, { shard, lineage: name });
  await expect(appliedTo()).resolves.toBeNull();
  await following();
  await onPrimary.query(`INSERT INTO shard_0007.orders VALUES (2, 'after')`);
  const inserted = await engine().position(primary);
  await flushed(inserted);
  const applied = (await appliedTo()) ?? '0/0';
  expect(comparePositions(applied, from)).toBeGreaterThan(0);
  expect(comparePositions(applied, inserted)).toBeLessThanOrEqual(0);
  // Nothing of this shard: applied no further, but confirmed, which only the primary can tell.
  await onPrimary.query('CREATE TABLE elsewhere AS SELECT generate_series(1, 1000)');
  const end = await engine().position(primary);
  await flushed(end);
  await expect(appliedTo()).resolves.toBe(applied);
  const confirmed = await engine().confirmedPositions(primary);
  expect(comparePositions(confirmed[name] ?? '0/0', end)).toBeGreaterThanOrEqual(0);
  await engine().pauseFollowing(follower, name);
  await expect(appliedTo()).resolves.toBe(applied);
  await engine().stopFollowing(follower, name);
  await expect(appliedTo()).resolves.toBeNull();
});

test('an instance that goes on with what was true once leaves all replication of ours, and none of others', async () => {
  await following();
  await flushed(await engine().writeMarker(primary, shard));
  await onFollower.query(`SELECT pg_create_logical_replication_slot(name, 'pgoutput')
    FROM unnest(ARRAY['s0008e12', 'c0008e12b3fa9c1', 'orders_to_warehouse']) AS name`);
  await engine().leaveReplication(follower);
  await engine().leaveReplication(follower);
  const left = await onFollower.query<{ name: string }>(
    `SELECT slot_name AS name FROM pg_replication_slots WHERE database = current_database()
      UNION ALL SELECT subname FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid AND d.datname = current_database()`,
  );
  expect(left.rows).toEqual([{ name: 'orders_to_warehouse' }]);
  await onFollower.query(`SELECT pg_drop_replication_slot('orders_to_warehouse')`);
});

test('what was applied is never forgotten by following again', async () => {
  const applied = async (): Promise<string> => {
    const { rows } = await onFollower.query<{ position: string }>(
      `SELECT pg_replication_origin_progress('pg_' || oid, true)::text AS position FROM pg_subscription`,
    );
    return rows[0]?.position ?? '0/0';
  };
  await following();
  await onPrimary.query(`INSERT INTO shard_0007.orders VALUES (2, 'after')`);
  await flushed(await engine().writeMarker(primary, shard));
  await engine().pauseFollowing(follower, name);
  const before = await applied();
  expect(comparePositions(before, from)).toBeGreaterThan(0);
  await following();
  expect(comparePositions(await applied(), before)).toBeGreaterThanOrEqual(0);
});

test('the marker of a quiet primary is confirmed, and its lag shows', async () => {
  await expect(engine().followerState(primary, name)).resolves.toMatchObject({ streaming: false });
  await expect(engine().followerState(primary, 's0001e1')).resolves.toEqual({
    streaming: false,
    flushedTo: null,
    lagBytes: null,
  });
  await following();
  const startedAt = performance.now();
  await flushed(await engine().writeMarker(primary, shard));
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  const state = await engine().followerState(primary, name);
  expect(state.streaming).toBe(true);
  expect(state.lagBytes).toBeLessThan(100_000);
});

test('a commit that a listed follower has not confirmed is not acknowledged, also after pausing', async () => {
  await following();
  await flushed(await engine().writeMarker(primary, shard));
  await engine().setSynchronousFollowers(primary, [name]);
  const writer = await testClient(servers.primary, primary);
  await writer.query(`INSERT INTO shard_0007.orders VALUES (2, 'confirmed')`);
  await expect(notes()).resolves.toEqual(['captured', 'confirmed']);

  await engine().pauseFollowing(follower, name);
  const acknowledged: string[] = [];
  const late = writer.query(`INSERT INTO shard_0007.orders VALUES (3, 'late')`).then(() => acknowledged.push('late'));
  await eventually('the writer waits', async () => {
    const waiting = await onPrimary.query(`SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'`);
    return waiting.rowCount === 1;
  });
  await expect(notes()).resolves.toEqual(['captured', 'confirmed']);
  expect(acknowledged).toEqual([]);

  await engine().resumeFollowing(follower, name);
  await late;
  await writer.end();
  await expect(notes()).resolves.toEqual(['captured', 'confirmed', 'late']);
});

test('pausing ends a worker that stands in half a transaction and waits for a lock', async () => {
  await following();
  await flushed(await engine().writeMarker(primary, shard));
  const blocker = await testClient(servers.follower, follower);
  await blocker.query('BEGIN; LOCK TABLE shard_0007.orders IN ACCESS EXCLUSIVE MODE');
  await onPrimary.query(`INSERT INTO shard_0007.orders VALUES (2, 'blocked')`);
  await eventually('the worker waits for the lock', async () => {
    const waiting = await onFollower.query(
      `SELECT FROM pg_locks l JOIN pg_stat_subscription s ON s.pid = l.pid WHERE NOT l.granted`,
    );
    return waiting.rowCount === 1;
  });
  await engine().pauseFollowing(follower, name);
  const left = await onFollower.query('SELECT FROM pg_stat_subscription WHERE pid IS NOT NULL');
  expect(left.rowCount).toBe(0);
  await eventually('the primary has no walsender', async () => {
    return !(await engine().followerState(primary, name)).streaming;
  });
  await blocker.query('ROLLBACK');
  await blocker.end();
  await expect(notes()).resolves.toEqual(['captured']);
});

test('pausing is quick: it is part of the time that clients wait', async () => {
  const durationsMs: number[] = [];
  for (let round = 0; round < 10; round += 1) {
    await following();
    await flushed(await engine().writeMarker(primary, shard));
    const startedAt = performance.now();
    await engine().pauseFollowing(follower, name);
    durationsMs.push(performance.now() - startedAt);
  }
  durationsMs.sort((left, right) => left - right);
  // The aim is 150 ms; a busy test machine gets some more.
  expect(durationsMs[5]).toBeLessThan(300);
  process.stdout.write(
    `pauseFollowing: median ${durationsMs[5]?.toFixed(0)} ms, worst ${durationsMs[9]?.toFixed(0)} ms\n`,
  );
});

test('a follower of a dead primary is paused and dropped', async () => {
  await following();
  await servers.primary.kill();
  try {
    await engine().pauseFollowing(follower, name);
    await engine().stopFollowing(follower, name);
    await engine().stopFollowing(follower, name);
    const left = await onFollower.query('SELECT FROM pg_subscription');
    expect(left.rowCount).toBe(0);
    await expect(engine().pauseFollowing(follower, name)).rejects.toMatchObject({ name: 'NotFound' });
  } finally {
    await servers.primary.restart();
    onPrimary = await testClient(servers.primary, primary);
    await onPrimary.query('SET synchronous_commit = local');
  }
});

test('passwords and names of any kind reach the primary', async () => {
  const password = `it's \\ "quoted" = ${name} é`;
  const client = await testClient(servers.primary, primary);
  await client.query(`CREATE ROLE "od d'r" SUPERUSER LOGIN PASSWORD '${password.replaceAll("'", "''")}'`);
  await client.end();
  const odd = {
    ...servers.source,
    credentials: async (cluster: string) =>
      cluster === 'primary' ? { username: "od d'r", password } : servers.follower.credentials,
  };
  await postgresReplication(odd).follow(follower, { name, shard, primary, from });
  await flushed(await engine().writeMarker(primary, shard));
  const { rows } = await onPrimary.query<{ usename: string }>('SELECT usename FROM pg_stat_replication');
  expect(rows).toEqual([{ usename: "od d'r" }]);
});
