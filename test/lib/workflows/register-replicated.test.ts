import { standbyName } from '../../../core/cluster/names';
import { BackupWorld } from '../../support/backup-world';
import { Death } from '../../support/mortal-calls';
import { cluster } from '../../support/simulated-cluster';

const shard = 'shard_0000';
const nodeIds = ['node-1', 'node-2', 'node-3', 'node-4'] as const;

/** A primary with three standbys that Rejoin does not know of. */
async function unregistered(): Promise<BackupWorld> {
  const world = await BackupWorld.open({ layout: 'replicated' });
  const { store } = world.cluster;
  for (const { pk, sk, value } of await store.list(`CLUSTER#${cluster}`, '')) {
    await store.write([{ kind: 'remove', key: { pk, sk }, when: { equals: value } }]);
  }
  return world;
}

async function items(world: BackupWorld): Promise<readonly string[]> {
  return (await world.cluster.store.list(`CLUSTER#${cluster}`, '')).map(({ sk }) => sk);
}

function server(world: BackupWorld, nodeId: string) {
  const found = world.cluster.servers.at(world.cluster.dns.resolve(`${nodeId}.${cluster}.internal`));
  if (found === null) {
    throw new Error(`there is no server of ${nodeId}`);
  }
  return found;
}

const everything = ['META', ...nodeIds.map((id) => `NODE#${id}`), `SHARD#${shard}`];

test('a primary with its standbys is one shard without a follower, and goes on', async () => {
  const world = await unregistered();
  expect(await world.run('register-cluster', 'r1')).toMatchObject({
    status: 'SUCCEEDED',
    output: {
      outcome: 'recovered',
      reason: 'cluster orders is registered: 4 nodes answer; node-1 is the primary, and each other node receives a log',
    },
  });
  expect(await items(world)).toEqual(everything);
  expect(await world.cluster.registry.meta(cluster)).toMatchObject({ layout: 'replicated', shardCount: 1, epoch: 1 });
  expect(await world.cluster.registry.shard(cluster, shard)).toMatchObject({
    schemas: [shard],
    primary: 'node-1',
    follower: null,
    state: 'in sync',
  });
  expect(await world.cluster.write('key-0', 'second')).toBe('acknowledged');
  expect(nodeIds.slice(1).map((id) => server(world, id).behind?.name)).toEqual(nodeIds.slice(1).map(standbyName));
  expect(await world.run('register-cluster', 'r2')).toMatchObject({ output: { outcome: 'no action needed' } });
});

test('two primaries and a standby that receives nothing are refused, both named, and nothing is changed', async () => {
  const world = await unregistered();
  server(world, 'node-2').standby = false;
  server(world, 'node-4').behind = null;
  const ended = await world.run('register-cluster', 'r1');
  expect(ended).toMatchObject({ status: 'FAILED', error: 'refused' });
  const { cause } = ended as { readonly cause: string };
  expect(cause).toContain('node-4 is a standby that receives no log');
  expect(cause).toContain('node-1, node-2 are primaries');
  expect(await items(world)).toEqual([]);
});

test('a standby of another primary is not proved to be one of this one', async () => {
  const world = await unregistered();
  const { servers } = world.cluster;
  const elsewhere = servers.start('elsewhere');
  elsewhere.standbySlots.add('other');
  servers.restoreStandby(server(world, 'node-3').address, elsewhere);
  server(world, 'node-3').behind = { name: 'other', primary: 'elsewhere' };
  const ended = await world.run('register-cluster', 'r1');
  expect(ended).toMatchObject({
    status: 'FAILED',
    error: 'undone',
    cause: expect.stringContaining('node-3 did not show what was written on node-1') as string,
  });
  expect(await items(world)).toEqual([]);
  expect(server(world, 'node-1').shards.get(shard)?.writable).toBe(true);
});

test.each(Array.from({ length: 10 }, (_, index) => 1 + index * 3))(
  'killed at call %i, the same execution or the next one ends with everything',
  async (call) => {
    const world = await unregistered();
    world.death = new Death(call, 'after');
    await world.run('register-cluster', 'r1');
    world.death = null;
    expect(await world.run('register-cluster', 'r2')).toMatchObject({ status: 'SUCCEEDED' });
    expect(await items(world)).toEqual(everything);
    expect(await world.cluster.write('key-0', 'second')).toBe('acknowledged');
  },
);
