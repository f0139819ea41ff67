import { BackupKeys, changesFolder } from '../../../core/backup/object-keys';
import { RunKeys } from '../../../core/restore/run-keys';
import { BackupWorld } from '../../support/backup-world';
import { Death } from '../../support/mortal-calls';
import { cluster } from '../../support/simulated-cluster';

interface Restored {
  readonly rows: number;
  readonly chunks: number;
  readonly damagedChunks: number;
  readonly rowsRepaired: number;
  readonly comparedRows: number;
  readonly passes: readonly unknown[];
}

const recovery = { cluster, nodeId: 'node-3', trigger: 'agent:node-2' };

/** A cluster with a backup, changes after it, captures of them, and changes that were never captured. */
async function backedUp(shards = 8): Promise<BackupWorld> {
  const world = await BackupWorld.open({ shards });
  await world.run('full-backup', 'b1');
  for (let key = 0; key < 20; key += 1) {
    await world.cluster.write(`key-${key}`, key % 5 === 0 ? null : 'captured');
  }
  await world.run('change-backup', 'm1');
  for (let key = 10; key < 30; key += 1) {
    await world.cluster.write(`key-${key}`, key % 7 === 0 ? null : 'not captured');
  }
  return world;
}

/** Lets clients go on writing while a recovery runs. */
function underLoad(world: BackupWorld): void {
  let number = 0;
  world.onStep = async () => {
    number += 1;
    await world.cluster.write(`key-${number % 40}`, number % 9 === 0 ? null : `value-${number}`);
  };
}

async function recover(world: BackupWorld) {
  await world.cluster.fail('node-3');
  return run(world);
}

async function run(world: BackupWorld) {
  const result = await world.run('node-recovery', 'recovery-1', recovery);
  const execution = world.executions.get('node-recovery/recovery-1');
  const summed = execution?.history.findLast(
    (event) => event.stateExitedEventDetails?.name === 'Sum up the restored rows',
  );
  const output = summed?.stateExitedEventDetails?.output;
  return { result, restored: output === undefined ? null : (JSON.parse(output) as Restored) };
}

function statesOf(world: BackupWorld): readonly string[] {
  const { history = [] } = world.executions.get('node-recovery/recovery-1') ?? {};
  return history.flatMap((event) => event.stateEnteredEventDetails?.name ?? []);
}

async function keysBelow(
  world: BackupWorld,
  folder: string,
  objects = world.cluster.backups,
): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const { key } of objects.list(folder)) {
    keys.push(key);
  }
  return keys;
}

test('from a backup and stored segments, under load; what nobody captured is found and repaired', async () => {
  const world = await backedUp();
  underLoad(world);
  const { result, restored } = await recover(world);
  expect(result).toMatchObject({ status: 'SUCCEEDED', output: { outcome: 'recovered' } });
  expect(await world.cluster.missing()).toEqual([]);
  expect(restored).toMatchObject({ damagedChunks: 0 });
  expect(restored?.chunks).toBeGreaterThanOrEqual(4);
  // A promotion ends a lineage: what was written between its last capture and the new slot.
  expect(restored?.rowsRepaired).toBeGreaterThan(0);
  expect(restored?.comparedRows).toBeGreaterThan(0);
});

test('what the stored segments still lack of a living primary is captured first, so nothing has to be repaired', async () => {
  const world = await BackupWorld.open({ shards: 4 });
  await world.run('full-backup', 'b1');
  // node-3 only follows shards 0, 1 and 3 here, and leads shard 2, which nobody writes to.
  const shards = await world.cluster.registry.shards(cluster);
  const followed = shards.filter((shard) => shard.follower === 'node-3').map((shard) => shard.id);
  expect(followed.length).toBeGreaterThan(0);
  for (let key = 0; key < 200; key += 1) {
    const number = [...Buffer.from(`key-${key}`)].reduce((sum, byte) => sum + byte, 0) % shards.length;
    const shard = shards[number];
    if (shard !== undefined && shard.primary !== 'node-3') {
      await world.cluster.write(`key-${key}`, 'not captured');
    }
  }
  const { result, restored } = await recover(world);
  expect(result.status).toBe('SUCCEEDED');
  expect(await world.cluster.missing()).toEqual([]);
  expect(restored?.rowsRepaired).toBe(0);
});

test('a damaged or missing chunk is read from the survivor instead, and counted', async () => {
  const world = await backedUp();
  const keys = new BackupKeys(cluster, 'b1');
  const [damaged = ''] = await keysBelow(world, keys.chunkFolder('shard_0002'));
  const body = Buffer.from(await world.cluster.backups.read(damaged));
  body[body.length - 1] = (body.at(-1) ?? 0) ^ 1;
  await world.cluster.backups.write(damaged, body);
  await world.cluster.backups.remove(await keysBelow(world, keys.chunkFolder('shard_0006')));
  const { result, restored } = await recover(world);
  expect(result.status).toBe('SUCCEEDED');
  expect(restored?.damagedChunks).toBe(2);
  const { evidence } = world.cluster;
  const documents = await keysBelow(world, `${cluster}/node-recovery/`, evidence);
  const key = documents.find((each) => each.endsWith('.json')) ?? '';
  expect(JSON.parse((await evidence.read(key)).toString())).toMatchObject({
    figures: expect.arrayContaining([
      { name: 'damaged chunks read from the other owner', value: 2, unit: 'chunks' },
    ]) as unknown,
  });
  expect(await world.cluster.missing()).toEqual([]);
});

test('a manifest that does not match ends it before a row is loaded', async () => {
  const world = await backedUp();
  const key = new BackupKeys(cluster, 'b1').chunkList('shard_0002');
  await world.cluster.backups.write(key, Buffer.from('[]'));
  const { result } = await recover(world);
  expect(result).toMatchObject({ status: 'FAILED', error: 'undone' });
  expect(result.cause).toContain('does not match');
  expect(statesOf(world)).not.toContain('Load the backup rows');
});

test('a damaged segment ends the chain there; the comparison brings the rest', async () => {
  const world = await backedUp();
  for (const key of await keysBelow(world, changesFolder(cluster))) {
    await world.cluster.backups.write(key, Buffer.from('not a segment'));
  }
  const { result } = await recover(world);
  expect(result.status).toBe('SUCCEEDED');
  expect(await world.cluster.missing()).toEqual([]);
});

describe('a slot that is lost during the restore', () => {
  /** Loses the restore's slot of one shard whenever a state is entered, so many times. */
  function loseAt(world: BackupWorld, wanted: string, times: number): void {
    let left = times;
    world.onStep = async (state) => {
      if (state !== wanted || left === 0) {
        return;
      }
      left -= 1;
      const shards = await world.cluster.registry.shards(cluster);
      const shard = shards.find((each) => each.id === 'shard_0002');
      const { host } = await world.cluster.address(shard?.primary ?? '');
      const slots = world.cluster.servers.at(world.cluster.dns.resolve(host))?.slots;
      Object.assign(slots?.get(`s0002e${shard?.epoch ?? 0}`) ?? {}, { lost: true });
    };
  }

  test.each(['Capture and apply a pass over a shard', 'Compare rows of a shard'])(
    'at "%s": its shard starts again',
    async (state) => {
      const world = await backedUp();
      loseAt(world, state, 1);
      const { result } = await recover(world);
      expect(result).toMatchObject({ status: 'SUCCEEDED' });
      expect(statesOf(world)).toContain('Start the lost shards again');
      expect(await world.cluster.missing()).toEqual([]);
      const order = JSON.parse(
        (await world.cluster.backups.read(new RunKeys(cluster, 'recovery-1').work)).toString(),
      ) as { attempt: number; shards: { shard: string }[] };
      expect(order).toMatchObject({ attempt: 2, shards: [{ shard: 'shard_0002' }] });
    },
  );

  test('a second time: undone, never gone on with', async () => {
    const world = await backedUp();
    loseAt(world, 'Capture and apply a pass over a shard', 20);
    const { result } = await recover(world);
    expect(result).toMatchObject({ status: 'FAILED', error: 'undone' });
    expect(result.cause).toContain('lost again');
  });
});

// Every 31st place, before or after its effect; REJOIN_KILLS=all tries all of them.
test('killed anywhere, it ends the same', async () => {
  const step = process.env['REJOIN_KILLS'] === 'all' ? 1 : 31;
  const bad: string[] = [];
  let came = true;
  let places = 0;
  for (let atCall = 0; came; atCall += step) {
    const world = await backedUp(4);
    const moment = (atCall / step) % 2 === 0 ? 'before' : 'after';
    const death = new Death(atCall, moment);
    await world.cluster.fail('node-3');
    world.death = death;
    underLoad(world);
    const { result, restored } = await run(world);
    came = death.came;
    places += 1;
    const facts = [
      ...(result.status === 'SUCCEEDED' ? [] : [`${result.error ?? ''}: ${result.cause ?? ''}`]),
      ...(await world.cluster.missing()),
      ...(restored?.damagedChunks === 0 ? [] : ['chunks were taken for damaged']),
    ];
    bad.push(...facts.map((fact) => `${moment} call ${atCall}: ${fact}`));
  }
  expect(bad).toEqual([]);
  expect(places).toBeGreaterThan(10);
}, 600_000);

describe('left out in a rehearsal', () => {
  test('the passes: writes are missing', async () => {
    const world = await backedUp();
    world.ablations = ['passes'];
    underLoad(world);
    await recover(world);
    expect((await world.cluster.missing()).length).toBeGreaterThan(0);
  });

  test('the node filter: more rows are moved', async () => {
    const filtered = await backedUp();
    const [few, all] = [await recover(filtered), await backedUp()];
    all.ablations = ['node-filter'];
    const many = await recover(all);
    expect(many.restored?.rows).toBeGreaterThan(few.restored?.rows ?? Infinity);
  });
});
