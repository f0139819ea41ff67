import type { Client } from 'pg';
import { ClusterRegistry } from '../../../core/cluster/cluster-registry';
import type { Shard } from '../../../core/cluster/items';
import { clusterSettingsSchema } from '../../../core/cluster/settings';
import type { JsonObject } from '../../../core/json';
import { Leases, type Lease } from '../../../core/lease/lease';
import { RunLedger } from '../../../core/ledger/run-ledger';
import { nextReport, writeReport } from '../../../core/node-recovery/reported-position';
import { comparePositions } from '../../../core/cluster/position';
import { followName, shardAfterJoining, shardInSync } from '../../../core/node-recovery/ownership';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { postgresEngine } from '../../../engines/postgresql/engine';
import { makeStep as makeHandOver } from '../../../lambdas/node-recovery/hand-over';
import { makeStep as makePromote } from '../../../lambdas/node-recovery/promote-survivor';
import { makeStep as makeRebalance } from '../../../lambdas/node-recovery/rebalance-shard';
import { systemClock } from '../../../adapters/system-clock';
import { startTestServer, testClient, type TestServer } from '../../support/postgres';
import { SimulatedRegistry } from '../../support/simulated-registry';

const cluster = 'orders';
const id = 'shard_0007';
const settings = {
  ...clusterSettingsSchema.parse({
    layout: 'sharded',
    database: 'shop',
    secret: 'orders',
    sites: { a: { subnetId: 'subnet-a' }, b: { subnetId: 'subnet-b' } },
    nodes: {},
  }),
  name: cluster,
};

let servers: TestServer[] = [];
let databases: ReturnType<typeof postgresEngine>;
let store: SimulatedRegistry;
let registry: ClusterRegistry;
let lease: Lease;
let ports: {
  clock: typeof systemClock;
  ledger: RunLedger;
  leases: Leases;
  registry: SimulatedRegistry;
  settings: { cluster: () => Promise<typeof settings> };
  databases: typeof databases;
};

const addressOf = (number: number): DatabaseAddress => {
  const server = servers[number - 1];
  return { cluster, nodeId: `node-${number}`, host: server?.address.host ?? '', port: 5432, database: 'shop' };
};
const clientOf = async (number: number): Promise<Client> => {
  const server = servers[number - 1];
  if (server === undefined) {
    throw new Error(`there is no server ${number}`);
  }
  return testClient(server, addressOf(number));
};
const event = (input: JsonObject, state: string) => ({
  run: { machine: 'node-recovery', execution: 'run-1', state },
  input,
});

async function rows(number: number): Promise<readonly string[]> {
  const client = await clientOf(number);
  try {
    const found = await client.query<{ note: string }>('SELECT note FROM shard_0007.item ORDER BY id');
    return found.rows.map((row) => row.note);
  } finally {
    await client.end();
  }
}

beforeAll(async () => {
  servers = await Promise.all(
    [1, 2, 3].map((number) =>
      startTestServer({ cluster, nodeId: `node-${number}`, durable: true, settings: { wal_level: 'logical' } }),
    ),
  );
  const credentials = servers[0]?.credentials ?? { username: '', password: '' };
  for (const server of servers) {
    const client = await testClient(server, server.address);
    // One secret for the whole cluster, as it is deployed.
    await client.query(`ALTER ROLE ${credentials.username} PASSWORD '${credentials.password}'`);
    await client.query('CREATE DATABASE shop');
    await client.end();
    Object.assign(server.credentials, credentials);
  }
  databases = postgresEngine({ credentials: async () => credentials, certificateAuthority: async () => null });
});

afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
});

/** Shard 7 with its rows on node 1 alone, and an empty copy with a slot opened for it on node 2, as the passes leave it. */
beforeEach(async () => {
  store = new SimulatedRegistry();
  registry = new ClusterRegistry(store);
  const meta = { name: cluster, engine: 'postgresql', layout: 'sharded', shardCount: 16, epoch: 1 } as const;
  await registry.add(cluster, { kind: 'META', value: meta });
  for (const number of [1, 2, 3]) {
    const { host } = addressOf(number);
    const value = {
      id: `node-${number}`,
      site: number === 1 ? 'a' : 'b',
      machineKind: 'ec2' as const,
      machineId: `i-${number}`,
      host,
      port: 5432,
      state: number === 2 ? ('building' as const) : ('serving' as const),
      builder: null,
      replacedAtMs: [],
    };
    await registry.add(cluster, { kind: 'NODE', value });
  }
  const value: Shard = {
    id,
    schemas: [id],
    epoch: 4,
    primary: 'node-1',
    follower: null,
    version: 1,
    state: 'single copy',
    fence: null,
    lostOwner: 'node-0',
  };
  await registry.add(cluster, { kind: 'SHARD', value });
  for (const number of [1, 2, 3]) {
    const client = await clientOf(number);
    await client.query(`DROP SCHEMA IF EXISTS ${id} CASCADE; DROP SCHEMA IF EXISTS rejoin CASCADE; CREATE SCHEMA ${id};
      CREATE TABLE ${id}.item (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, note text NOT NULL);`);
    await client.end();
    const order = { shard: id, schemas: [id], epoch: 4, writable: number === 1 };
    await databases.installShard(addressOf(number), order);
  }
  ports = {
    clock: systemClock,
    ledger: new RunLedger(store, systemClock),
    leases: new Leases(store, systemClock),
    registry: store,
    settings: { cluster: async () => settings },
    databases,
  };
  lease = await ports.leases.take({ cluster, name: '', holder: 'run-1', durationMs: 600_000 });
});

/** No test leaves replication to the next one. */
afterEach(async () => {
  for (const number of [1, 2, 3]) {
    await databases.setSynchronousFollowers(addressOf(number), []);
  }
  for (const number of [1, 2, 3]) {
    const client = await clientOf(number);
    const found = await client.query<{ name: string }>('SELECT subname AS name FROM pg_subscription');
    for (const { name } of found.rows) {
      await databases.stopFollowing(addressOf(number), name);
    }
    await client.end();
  }
  for (const number of [1, 2, 3]) {
    const client = await clientOf(number);
    const found = await client.query<{ name: string }>('SELECT slot_name AS name FROM pg_replication_slots');
    for (const { name } of found.rows) {
      await databases.dropSlot(addressOf(number), name);
    }
    await client.end();
  }
});

const slot = followName({ id, epoch: 4 });

async function openSlot(): Promise<string> {
  return databases.openSlot(addressOf(1), { slot, shard: id, schemas: [id] });
}

async function handOver(from: string, name = slot): Promise<void> {
  const replacement = {
    nodeId: 'node-2',
    machineId: 'i-2',
    machineKind: 'ec2',
    host: addressOf(2).host,
    port: 5432,
  } as const;
  const input = {
    cluster,
    nodeId: 'node-3',
    replacement,
    slot: { shard: id, slot: name, primary: 'node-1', from },
    lease,
  };
  await makeHandOver(ports)(event(input, 'Hand over a shard'));
}

interface Written {
  readonly note: string;
  readonly atMs: number;
}

/** A client that writes to the shard's primary as the registry names it, until it is told to stop. */
function writer() {
  const acknowledged: Written[] = [];
  const stopping = new AbortController();
  const going = (): boolean => !stopping.signal.aborted;
  const work = (async () => {
    for (let number = 1; going(); number += 1) {
      const shard = await registry.shard(cluster, id);
      const client = await clientOf(shard.primary === 'node-1' ? 1 : 2);
      try {
        while (going()) {
          const note = `note-${String(number).padStart(5, '0')}`;
          await client.query(`INSERT INTO ${id}.item (note) VALUES ($1)`, [note]);
          acknowledged.push({ note, atMs: performance.now() });
          number += 1;
        }
      } catch (thrown) {
        if ((thrown as { code?: string }).code !== 'RJ001') {
          throw thrown;
        }
        await systemClock.sleep(5);
      } finally {
        await client.end();
      }
    }
  })();
  return {
    acknowledged,
    stop: async () => {
      stopping.abort();
      await work;
    },
  };
}

test('a follower is handed a shard under load, and from then on each commit waits for it', async () => {
  const from = await openSlot();
  const client = writer();
  try {
    await handOver(from);
    const inSync = await registry.shard(cluster, id);
    expect(inSync).toMatchObject({ state: 'in sync', primary: 'node-1', follower: 'node-2', epoch: 4 });
    expect(await databases.synchronousFollowers(addressOf(1))).toEqual(['s0007e4']);
    await systemClock.sleep(200);
  } finally {
    await client.stop();
  }
  const onFollower = await rows(2);
  const lastAcknowledged = client.acknowledged.map((each) => each.note);
  expect(client.acknowledged.length).toBeGreaterThan(10);
  expect(onFollower).toEqual(await rows(1));
  expect(lastAcknowledged.filter((note) => !onFollower.includes(note))).toEqual([]);
});

test('a follower that lives is succeeded under load: one of the two confirms each commit, and no copy is given up early', async () => {
  // Node 3 has followed since before: it is what is replaced.
  const begin = await openSlot();
  await databases.follow(addressOf(3), { name: slot, shard: id, primary: addressOf(1), from: begin });
  await databases.setSynchronousFollowers(addressOf(1), [slot]);
  const alone = await registry.shard(cluster, id);
  await registry.changeShard(cluster, alone, shardInSync(shardAfterJoining(alone, 'node-3')));
  const from = await databases.openSlot(addressOf(1), { slot: 's0007e5', shard: id, schemas: [id] });
  const client = writer();
  const lists: string[] = [];
  const set = databases.setSynchronousFollowers.bind(databases);
  ports.databases = {
    ...databases,
    setSynchronousFollowers: async (address, names) => {
      lists.push(`${address.nodeId}: ${names.join(', ')}`);
      await set(address, names);
    },
  };
  try {
    await systemClock.sleep(200);
    await handOver(from, 's0007e5');
    await systemClock.sleep(200);
  } finally {
    await client.stop();
  }
  expect(lists).toEqual(['node-1: s0007e5']);
  expect(await registry.shard(cluster, id)).toMatchObject({ state: 'in sync', follower: 'node-2', epoch: 5 });
  expect(await databases.synchronousFollowers(addressOf(1))).toEqual(['s0007e5']);
  expect(await databases.slot(addressOf(1), slot)).toMatchObject({ state: 'absent' });
  const onFollower = await rows(2);
  expect(client.acknowledged.length).toBeGreaterThan(10);
  expect(client.acknowledged.filter(({ note }) => !onFollower.includes(note))).toEqual([]);
  expect(onFollower).toEqual(await rows(1));
});

test('two owners change roles under load: nothing acknowledged is lost, nothing arrives twice, the pause is short', async () => {
  await handOver(await openSlot());
  const client = writer();
  try {
    await systemClock.sleep(300);
    const move = { shard: id, from: 'node-1', to: 'node-2', epoch: 4 };
    const answer = await makeRebalance(ports)(event({ cluster, move, round: 1, lease }, 'Move a primary'));
    expect(answer).toMatchObject({ action: 'moved' });
    await systemClock.sleep(300);
  } finally {
    await client.stop();
  }
  expect(await registry.shard(cluster, id)).toMatchObject({
    primary: 'node-2',
    follower: 'node-1',
    epoch: 5,
    state: 'in sync',
  });
  expect(await databases.synchronousFollowers(addressOf(1))).toEqual([]);
  expect(await databases.synchronousFollowers(addressOf(2))).toEqual(['s0007e5']);
  expect(await databases.slot(addressOf(1), 's0007e4')).toMatchObject({ state: 'absent' });
  const notes = client.acknowledged.map((each) => each.note);
  const [onOld, onNew] = [await rows(1), await rows(2)];
  expect(onNew.filter((note) => notes.includes(note))).toEqual(notes);
  expect(onOld).toEqual(onNew);
  const gaps = client.acknowledged.slice(1).map((each, index) => each.atMs - (client.acknowledged[index]?.atMs ?? 0));
  // How short depends on what else this machine does; that it ends does not.
  expect(Math.max(...gaps)).toBeLessThan(10_000);
  console.info(`longest gap between acknowledged writes: ${Math.round(Math.max(...gaps))} ms`);
});

test('a shard whose follower does not confirm stays where it is, and writes go on', async () => {
  await handOver(await openSlot());
  await databases.setSynchronousFollowers(addressOf(1), []);
  await databases.pauseFollowing(addressOf(2), 's0007e4');
  const client = await clientOf(1);
  await client.query(`INSERT INTO ${id}.item (note) VALUES ('unconfirmed')`);
  const move = { shard: id, from: 'node-1', to: 'node-2', epoch: 4 };
  const answer = await makeRebalance(ports)(event({ cluster, move, round: 1, lease }, 'Move a primary'));
  expect(answer).toMatchObject({ action: 'moved back' });
  expect(await registry.shard(cluster, id)).toMatchObject({
    primary: 'node-1',
    follower: 'node-2',
    epoch: 4,
    state: 'in sync',
  });
  await client.query(`INSERT INTO ${id}.item (note) VALUES ('after')`);
  expect(await rows(1)).toEqual(['unconfirmed', 'after']);
  expect(await databases.slot(addressOf(2), 's0007e5')).toMatchObject({ state: 'absent' });
  await client.end();
});

describe('a promotion where commits wait for nobody', () => {
  const fence = { kind: 'machine', api: 'instance i-1 is stopped', probes: ['from a: timed out'], atMs: 1 } as const;
  const promote = (fenced: typeof fence | null = fence) => {
    const asynchronous = { ...settings, durability: 'asynchronous' as const };
    const step = makePromote({ ...ports, settings: { cluster: async () => asynchronous } });
    const input = { cluster, nodeId: 'node-1', shard: id, lease, fence: fenced };
    return step(event(input, 'Promote the owner of a shard'));
  };
  /** What node 1's agent says; the follower's part of it only where it is said to. */
  const report = async (position: string, withConfirmed: boolean): Promise<void> => {
    const confirmed = withConfirmed ? await databases.confirmedPositions(addressOf(1)) : {};
    const first = nextReport(null, { nodeId: 'node-1', position, atMs: 1_000, confirmed });
    if (first !== null) {
      await writeReport(store, cluster, null, first);
    }
  };
  const insert = async (note: string): Promise<void> => {
    const client = await clientOf(1);
    await client.query(`INSERT INTO ${id}.item (note) VALUES ('${note}')`);
    await client.end();
  };
  /** Node 2 has everything, as far as the log goes now. */
  const everythingArrives = async (): Promise<string> => {
    const end = await databases.writeMarker(addressOf(1), id);
    const untilMs = Date.now() + 20_000;
    for (;;) {
      const { flushedTo } = await databases.followerState(addressOf(1), slot);
      if (flushedTo !== null && comparePositions(flushedTo, end) >= 0) {
        return end;
      }
      expect(Date.now()).toBeLessThan(untilMs);
      await systemClock.sleep(20);
    }
  };

  beforeEach(async () => {
    await handOver(await openSlot());
    await databases.setSynchronousFollowers(addressOf(1), []);
    await insert('arrived');
    await everythingArrives();
  });

  test('counts what the follower has applied against the last report, and keeps the difference in its answer', async () => {
    await report((await databases.appliedTo(addressOf(2), { shard: id, lineage: slot })) ?? '', false);
    await expect(promote()).resolves.toMatchObject({ action: 'promoted', lossBytes: 0, coveredToMs: 1_000 });
    expect(await registry.shard(cluster, id)).toMatchObject({
      primary: 'node-2',
      epoch: 5,
      fence: { kind: 'machine' },
    });
    expect(await databases.shards(addressOf(2))).toEqual([{ shard: id, epoch: 5, writable: true }]);
  });

  test('says how much is lost when the follower was behind', async () => {
    await databases.pauseFollowing(addressOf(2), slot);
    await insert('never arrives');
    await report(await databases.position(addressOf(1)), true);
    const answer = (await promote()) as { readonly lossBytes: number; readonly coveredToMs: number | null };
    expect(answer.lossBytes).toBeGreaterThan(0);
    expect(answer.lossBytes).toBeLessThan(16_777_216);
    // No report is as old as what it has.
    expect(answer.coveredToMs).toBeNull();
    expect(await rows(2)).toEqual(['arrived']);
  });

  test.each([
    ['nobody reported', null, 'never reported its position'],
    ['too much is missing', 'FF/0', 'and 16777216 are allowed'],
  ])('is refused when %s', async (_what, position, words) => {
    if (position !== null) {
      await report(position, true);
    }
    await expect(promote()).rejects.toMatchObject({
      name: 'LossNotAccepted',
      message: expect.stringContaining(words) as string,
    });
    expect(await registry.shard(cluster, id)).toMatchObject({ primary: 'node-1', epoch: 4 });
    expect(await databases.shards(addressOf(2))).toMatchObject([{ writable: false }]);
  });

  test('waits for the proof that the machine is stopped', async () => {
    await report(await databases.position(addressOf(1)), true);
    await expect(promote(null)).rejects.toMatchObject({ name: 'FenceNotProved' });
  });
});
