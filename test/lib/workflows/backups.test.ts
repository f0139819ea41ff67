import { BackupKeys, changesFolder } from '../../../core/backup/object-keys';
import { captureSlotName } from '../../../core/backup/slot-name';
import { BackupWorld } from '../../support/backup-world';
import { Death } from '../../support/mortal-calls';
import { cluster } from '../../support/simulated-cluster';

const dayMs = 24 * 3_600_000;

async function keysBelow(world: BackupWorld, folder: string): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const { key } of world.cluster.backups.list(folder)) {
    keys.push(key);
  }
  return keys;
}

async function backupsOf(world: BackupWorld): Promise<readonly string[]> {
  return (await world.cluster.registry.backups(cluster)).map(({ id, state }) => `${id} ${state}`);
}

/** The capture slots of all nodes, as the servers have them. */
async function slotsOn(world: BackupWorld): Promise<readonly string[]> {
  const nodes = await world.cluster.registry.nodes(cluster);
  return nodes
    .flatMap((node) => [...(world.cluster.servers.at(world.cluster.dns.resolve(node.host))?.slots.keys() ?? [])])
    .filter((name) => name.startsWith('c'))
    .sort();
}

async function slotsOf(world: BackupWorld, backup: string): Promise<readonly string[]> {
  const shards = await world.cluster.registry.shards(cluster);
  return shards.map((shard) => captureSlotName(shard.id, shard.epoch, backup)).sort();
}

/** Exactly one backup's slots are there, on the servers and in the registry. */
async function expectSlotsOf(world: BackupWorld, backup: string): Promise<void> {
  const wanted = await slotsOf(world, backup);
  expect(await slotsOn(world)).toEqual(wanted);
  expect((await world.cluster.registry.slots(cluster)).map((slot) => slot.name).sort()).toEqual(wanted);
}

/** Ends a server's log where a slot still needs it. */
async function loseSlot(world: BackupWorld, shardId: string): Promise<void> {
  const slot = (await world.cluster.registry.slots(cluster)).find((each) => each.shard === shardId);
  const address = await world.cluster.address(slot?.nodeId ?? '');
  const there = world.cluster.servers.at(world.cluster.dns.resolve(address.host))?.slots.get(slot?.name ?? '');
  Object.assign(there ?? {}, { lost: true });
}

describe('a full backup', () => {
  test('is verified, and changes are captured from then on', async () => {
    const world = await BackupWorld.open({ shards: 4 });
    expect(await world.run('full-backup', 'b1')).toMatchObject({
      status: 'SUCCEEDED',
      output: { outcome: 'recovered', reason: 'every hash was read back, and one chunk of each table was loaded' },
    });
    expect(await backupsOf(world)).toEqual(['b1 verified']);
    await expectSlotsOf(world, 'b1');
    await world.cluster.write('key-1', 'second');
    expect(await world.run('change-backup', 'm1')).toMatchObject({ output: { outcome: 'recovered' } });
    expect(await keysBelow(world, changesFolder(cluster))).toHaveLength(1);
    expect(await world.run('change-backup', 'm2')).toMatchObject({ output: { outcome: 'recovered' } });
    const measured = world.cluster.published.metrics.map(({ name, dimensions: of }) => `${name} ${of['Node'] ?? ''}`);
    expect(measured.slice(-9).sort()).toEqual(
      [
        'BackupAge ',
        ...[1, 2, 3, 4].flatMap((node) => [`SlotRetained node-${node}`, `SlotRetainedPercent node-${node}`]),
      ].sort(),
    );
    expect(await keysBelow(world, changesFolder(cluster))).toHaveLength(1);
  });

  test('takes over from the one before, which goes when it is old, with the segments that nobody needs', async () => {
    const world = await BackupWorld.open({ shards: 4 });
    await world.run('full-backup', 'b1');
    await world.cluster.write('key-1', 'second');
    await world.run('change-backup', 'm1');
    await world.cluster.write('key-2', 'second');
    await world.run('full-backup', 'b2');
    await expectSlotsOf(world, 'b2');
    expect(await backupsOf(world)).toEqual(['b1 verified', 'b2 verified']);
    // What b1's slots held is captured before they go, so that its segments lead into b2's.
    expect(await keysBelow(world, changesFolder(cluster))).toHaveLength(2);
    await world.cluster.clock.sleep(15 * dayMs);
    await world.run('full-backup', 'b3');
    expect(await backupsOf(world)).toEqual(['b3 verified']);
    expect(await keysBelow(world, `${cluster}/b1/`)).toEqual([]);
    expect(await keysBelow(world, changesFolder(cluster))).toEqual([]);
  });

  test('is not begun while another one is made', async () => {
    const world = await BackupWorld.open({ shards: 4 });
    const first = world.start('full-backup', 'b1');
    let second: unknown = null;
    world.onStep = async (state) => {
      if (state === 'Write the manifest' && second === null) {
        second = world.run('full-backup', 'b2');
        await second;
      }
    };
    expect(await first.finished).toMatchObject({ output: { outcome: 'recovered' } });
    expect(await second).toMatchObject({
      output: { outcome: 'no action needed', reason: "execution 'b1' is making a backup of cluster 'orders'" },
    });
    await expectSlotsOf(world, 'b1');
  });

  test('whose chunk is damaged is found out at once, and the one before stays in use', async () => {
    const world = await BackupWorld.open({ shards: 4 });
    await world.run('full-backup', 'b1');
    world.onStep = async (state) => {
      if (state === 'Write the manifest') {
        const [key = ''] = await keysBelow(world, new BackupKeys(cluster, 'b2').chunkFolder('shard_0002'));
        await world.cluster.backups.write(key, Buffer.from('half a chunk'));
      }
    };
    const result = await world.run('full-backup', 'b2');
    expect(result).toMatchObject({ status: 'FAILED', error: 'failed' });
    expect(result.cause).toMatch(/^the backup is damaged: object 'orders\/b2\/chunks\/shard_0002.* have SHA-256/);
    expect(await backupsOf(world)).toEqual(['b1 verified', 'b2 damaged']);
    await expectSlotsOf(world, 'b1');
    expect(world.cluster.published.events).toMatchObject([{ type: 'BackupDamaged', detail: { backup: 'b2' } }]);
    expect(world.cluster.published.notes).toEqual(['Backup b2 of orders is damaged']);
  });

  test('whose first changes are missing is damaged', async () => {
    const world = await BackupWorld.open({ shards: 4 });
    world.onStep = async (state) => {
      if (state === 'Write the manifest') {
        await world.cluster.write('key-1', 'second');
        await world.run('change-backup', 'm1');
        await world.cluster.backups.remove(await keysBelow(world, changesFolder(cluster)));
      }
    };
    const result = await world.run('full-backup', 'b1');
    expect(result).toMatchObject({ status: 'FAILED', error: 'failed' });
    expect(result.cause).toMatch(/the change segments of shard_000\d out of slot 'c.*' have a gap/);
  });

  test('that a promotion runs into is undone, and leaves nothing', async () => {
    const world = await BackupWorld.open({ shards: 4 });
    world.onStep = async (state) => {
      if (state === 'List the chunks') {
        await world.cluster.agentsTakeOver('node-3');
      }
    };
    const result = await world.run('full-backup', 'b1');
    expect(result).toMatchObject({ error: 'undone' });
    expect(result.cause).toContain('was promoted from node');
    expect(await backupsOf(world)).toEqual([]);
    expect(await keysBelow(world, `${cluster}/b1/`)).toEqual([]);
    expect(await slotsOn(world)).toEqual([]);
    expect(await world.cluster.registry.slots(cluster)).toEqual([]);
  });

  test('whose rows can not be read says why, not only that too much failed', async () => {
    const world = await BackupWorld.open({ shards: 4 });
    world.onStep = async (state) => {
      if (state === 'List the chunks') {
        const plan = new BackupKeys(cluster, 'b1').plan('shard_0002');
        const text = (await world.cluster.backups.read(plan)).toString();
        await world.cluster.backups.write(
          plan,
          Buffer.from(text.replaceAll('"schema":"shard_0002"', '"schema":"gone"')),
        );
      }
    };
    const result = await world.run('full-backup', 'b1');
    expect(result).toMatchObject({ status: 'FAILED', error: 'undone' });
    expect(result.cause).toMatch(/^node 'node-\d' has no schema 'gone' \(SqlFailed\)$/);
  });

  test('that nobody works on any more is cleared away by the next', async () => {
    const world = await BackupWorld.open({ shards: 4 });
    const execution = world.start('full-backup', 'b1');
    world.onStep = async (state) => {
      if (state === 'Read the rows of a chunk') {
        execution.stop('Aborted', 'by a test');
      }
    };
    expect(await execution.finished).toMatchObject({ status: 'ABORTED' });
    expect(await backupsOf(world)).toEqual(['b1 running']);
    world.onStep = async () => undefined;
    expect(await world.run('full-backup', 'b2')).toMatchObject({ output: { outcome: 'recovered' } });
    expect(await backupsOf(world)).toEqual(['b2 verified']);
    expect(await keysBelow(world, `${cluster}/b1/`)).toEqual([]);
    await expectSlotsOf(world, 'b2');
  });

  test.each([
    ['an unknown field', { cluster, full: true }, 'full'],
    ['no cluster', {}, 'cluster'],
  ])('is refused with %s', async (_name, input, named) => {
    const world = await BackupWorld.open({ shards: 4 });
    const result = await world.run('full-backup', 'b1', input);
    expect(result).toMatchObject({ status: 'FAILED', error: 'failed' });
    expect(result.cause).toContain(named);
    expect(await backupsOf(world)).toEqual([]);
  });

  // Every 7th place, before and after its effect; REJOIN_KILLS=all tries all of them.
  const step = process.env['REJOIN_KILLS'] === 'all' ? 1 : 7;
  test('whose steps are killed anywhere ends the same', async () => {
    const bad: string[] = [];
    let came = true;
    for (let atCall = 0; came; atCall += step) {
      const world = await BackupWorld.open({ shards: 2 });
      await world.run('full-backup', 'b1');
      await world.cluster.write('key-1', 'second');
      const moment = atCall % 2 === 0 ? 'before' : 'after';
      const death = new Death(atCall, moment);
      world.death = death;
      const result = await world.run('full-backup', 'b2');
      world.death = null;
      came = death.came;
      const wanted = (await slotsOf(world, 'b2')).join();
      const facts = [
        result.status === 'SUCCEEDED' || `${result.error ?? ''}: ${result.cause ?? ''}`,
        (await slotsOn(world)).join() === wanted || `slots ${(await slotsOn(world)).join()}`,
        (await backupsOf(world)).join() === 'b1 verified,b2 verified' || (await backupsOf(world)).join(),
      ];
      bad.push(...facts.flatMap((fact) => (fact === true ? [] : [`${moment} call ${atCall}: ${fact}`])));
    }
    expect(bad).toEqual([]);
  }, 600_000);
});

describe('the change capture', () => {
  test('is not begun while another one runs', async () => {
    const world = await BackupWorld.open({ shards: 4 });
    await world.run('full-backup', 'b1');
    let second: unknown = null;
    world.onStep = async (state) => {
      if (state === 'Conclude the capture' && second === null) {
        second = world.run('change-backup', 'm2');
        await second;
      }
    };
    expect(await world.run('change-backup', 'm1')).toMatchObject({ output: { outcome: 'recovered' } });
    expect(await second).toMatchObject({ output: { outcome: 'no action needed' } });
    world.onStep = async () => undefined;
    expect(await world.run('change-backup', 'm3')).toMatchObject({ output: { outcome: 'recovered' } });
  });

  test('never goes on after a lost slot: the lineage ends, and a full backup begins a new one', async () => {
    const world = await BackupWorld.open({ shards: 4 });
    await world.run('full-backup', 'b1');
    await world.cluster.clock.sleep(20 * 60_000);
    await loseSlot(world, 'shard_0001');
    expect(await world.run('change-backup', 'm1')).toMatchObject({
      output: { outcome: 'recovered', reason: 'the changes of shard_0001 are captured nowhere' },
    });
    expect(await world.run('change-backup', 'm2')).toMatchObject({ status: 'SUCCEEDED' });
    expect(world.cluster.published.started).toEqual([expect.stringMatching(/^full-backup\/orders-lineage-/)]);
    expect((await world.cluster.registry.slots(cluster)).map((slot) => slot.shard)).not.toContain('shard_0001');
    expect(await slotsOn(world)).toHaveLength(3);
  });

  test('ends the lineage of a shard that was promoted, and leaves no slot behind', async () => {
    const world = await BackupWorld.open({ shards: 4 });
    await world.run('full-backup', 'b1');
    await world.cluster.agentsTakeOver('node-3');
    await world.run('change-backup', 'm1');
    const slots = await world.cluster.registry.slots(cluster);
    const shards = await world.cluster.registry.shards(cluster);
    expect(
      slots.every((slot) => shards.some((shard) => shard.id === slot.shard && shard.primary === slot.nodeId)),
    ).toBe(true);
    expect(await slotsOn(world)).toEqual(slots.map((slot) => slot.name).sort());
  });

  test('says whose changes it could not capture, and captures the others’', async () => {
    const world = await BackupWorld.open({ shards: 4 });
    await world.run('full-backup', 'b1');
    for (let key = 0; key < 20; key += 1) {
      await world.cluster.write(`key-${key}`, 'second');
    }
    world.cluster.servers.kill(world.cluster.dns.resolve((await world.cluster.address('node-3')).host));
    const result = await world.run('change-backup', 'm1');
    expect(result).toMatchObject({ status: 'FAILED', error: 'failed' });
    expect(result.cause).toBe("the changes of shard_0002 were not captured: node 'node-3' does not answer");
    expect(await keysBelow(world, changesFolder(cluster))).toHaveLength(3);
    // The lease is free again.
    expect(await world.run('change-backup', 'm2')).toMatchObject({ error: 'failed' });
  });

  test('begins the first backup of a cluster that has none', async () => {
    const world = await BackupWorld.open({ shards: 4 });
    await world.run('change-backup', 'm1');
    expect(world.cluster.published.started).toEqual([expect.stringMatching(/^full-backup\/orders-lineage-/)]);
  });
});
