import { BackupWorld } from '../../support/backup-world';
import { Death } from '../../support/mortal-calls';
import { cluster } from '../../support/simulated-cluster';

/** The simulated cluster, as its users have it before Rejoin knows it. */
async function unregistered(settings = {}): Promise<BackupWorld> {
  const world = await BackupWorld.open({ shards: 4, settings });
  const { store, registry, databases } = world.cluster;
  for (const node of await registry.nodes(cluster)) {
    await databases.setSynchronousFollowers(await world.cluster.address(node.id), []);
  }
  for (const shard of await registry.shards(cluster)) {
    const [primary, follower] = await Promise.all([
      world.cluster.address(shard.primary),
      world.cluster.address(shard.follower ?? ''),
    ]);
    const name = `s${shard.id.slice('shard_'.length)}e1`;
    await databases.stopFollowing(follower, name);
    await databases.dropSlot(primary, name);
    await databases.closeShard(primary, { shard: shard.id, epoch: 1 });
  }
  for (const { pk, sk, value } of await store.list(`CLUSTER#${cluster}`, '')) {
    await store.write([{ kind: 'remove', key: { pk, sk }, when: { equals: value } }]);
  }
  return world;
}

async function items(world: BackupWorld): Promise<readonly string[]> {
  return (await world.cluster.store.list(`CLUSTER#${cluster}`, '')).map(({ sk }) => sk);
}

const everything = [
  'META',
  ...[1, 2, 3, 4].map((number) => `NODE#node-${number}`),
  ...[0, 1, 2, 3].map((number) => `SHARD#shard_000${number}`),
];

/** Every shard takes writes, and its follower confirms them. */
async function expectServing(world: BackupWorld): Promise<void> {
  for (let key = 0; key < 16; key += 1) {
    expect(await world.cluster.write(`key-${key}`, 'second')).toBe('acknowledged');
  }
  for (const shard of await world.cluster.registry.shards(cluster)) {
    const primary = await world.cluster.address(shard.primary);
    const streaming = await world.cluster.databases.streamingFollowers(primary);
    expect(streaming).toContain(`s${shard.id.slice('shard_'.length)}e1`);
  }
}

test('a cluster gets its first items, serves, and is left alone the second time', async () => {
  const world = await unregistered();
  expect(await world.run('register-cluster', 'r1')).toMatchObject({
    status: 'SUCCEEDED',
    output: {
      outcome: 'recovered',
      reason: 'cluster orders is registered: 4 nodes answer; each of 4 shards has two owners',
    },
  });
  expect(await items(world)).toEqual(everything);
  expect(await world.cluster.registry.shard(cluster, 'shard_0002')).toMatchObject({ state: 'in sync', version: 1 });
  await expectServing(world);
  expect(await world.run('register-cluster', 'r2')).toMatchObject({
    output: {
      outcome: 'no action needed',
      reason: "cluster 'orders' is registered, with 4 nodes and 4 shards, at epoch 1",
    },
  });
});

test('backups work from then on', async () => {
  const world = await unregistered();
  await world.run('register-cluster', 'r1');
  expect(await world.run('full-backup', 'b1')).toMatchObject({ output: { outcome: 'recovered' } });
});

test('a node that does not answer is a refusal, and nothing is changed', async () => {
  const world = await unregistered();
  const address = world.cluster.dns.resolve(`node-3.${cluster}.internal`);
  world.cluster.servers.kill(address);
  expect(await world.run('register-cluster', 'r1')).toMatchObject({
    status: 'FAILED',
    error: 'refused',
    cause: 'node-3 does not answer: refused, connection refused',
  });
  expect(await items(world)).toEqual([]);
});

test('copies that differ are undone: nothing is registered, and writes go on', async () => {
  const world = await unregistered();
  const holder = world.cluster.servers
    .all()
    .find((server) => server.shards.has('shard_0001') && server.subscriptions.size === 0);
  const [key = ''] = [...(holder?.shards.get('shard_0001')?.rows.keys() ?? [])];
  holder?.put('shard_0001', key, 'another');
  const ended = await world.run('register-cluster', 'r1');
  expect(ended).toMatchObject({ status: 'FAILED', error: 'undone' });
  expect(ended).toMatchObject({
    cause: expect.stringContaining('shard_0001 differs: shard_0001.item from its begin') as string,
  });
  expect(await items(world)).toEqual([]);
  const servers = world.cluster.servers.all();
  expect(servers.flatMap((server) => [...server.slots.keys(), ...server.subscriptions.keys()])).toEqual([]);
  const open = servers.flatMap((server) => [...server.shards].filter(([, { writable }]) => writable));
  expect(open.map(([id]) => id).sort()).toEqual([0, 1, 2, 3].map((number) => `shard_000${number}`));
});

test('an input that names what is not there is refused by its field', async () => {
  const world = await unregistered();
  const input = { cluster, owner: 'rule' };
  expect(await world.run('register-cluster', 'r1', input)).toMatchObject({
    status: 'FAILED',
    error: 'failed',
    cause: expect.stringContaining('owner') as string,
  });
});

test.each(Array.from({ length: 24 }, (_, index) => 1 + index * 4))(
  'killed at call %i, the same execution or the next one ends with everything',
  async (call) => {
    const world = await unregistered();
    world.death = new Death(call, 'after');
    await world.run('register-cluster', 'r1');
    world.death = null;
    const again = await world.run('register-cluster', 'r2');
    expect(again).toMatchObject({ status: 'SUCCEEDED' });
    expect(await items(world)).toEqual(everything);
    await expectServing(world);
  },
);
