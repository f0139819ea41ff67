import type { JsonObject } from '../../../core/json';
import { keepStandingBehind } from '../../../core/node-recovery/keep-standing-behind';
import { cluster, SimulatedCluster } from '../../support/simulated-cluster';
import { evidenceOf, expectUnharmed, reasonOf, writeMeanwhile } from '../support/recovery-told';

const hourMs = 3_600_000;

async function open(options: {
  readonly snapshot: boolean;
  readonly settings?: JsonObject;
}): Promise<SimulatedCluster> {
  const world = await SimulatedCluster.open({ layout: 'replicated', settings: options.settings ?? {} });
  if (options.snapshot) {
    world.machines.snapshot((await world.registry.node(cluster, 'node-2')).machineId);
  }
  writeMeanwhile(world);
  await world.onStep('before anything fails');
  return world;
}

async function fail(world: SimulatedCluster, nodeId: string): Promise<void> {
  await world.reportPosition('node-1');
  await world.fail(nodeId);
}

const statesOf = (world: SimulatedCluster): readonly string[] => world.steps.map(({ state }) => state);

describe('the primary of a replicated cluster', () => {
  it('is replaced behind its machine’s fence, by whoever received the most of its log', async () => {
    const world = await open({ snapshot: true });
    // This one is behind, and must follow the new primary all the same.
    const late = world.servers.at('10.0.0.2');
    if (late !== null) {
      late.replicates = false;
    }
    await world.write('key-1', 'only on some');
    await fail(world, 'node-1');
    if (late !== null) {
      late.replicates = true;
    }
    const execution = world.recover({ nodeId: 'node-1' });
    expect(await reasonOf(execution)).toMatch(/^node-1-r1 has taken the place of node-1: \d+ rows compared equal/);
    await expectUnharmed(world);
    expect(await world.leftovers()).toEqual([]);
    const shard = await world.registry.shard(cluster, 'shard_0000');
    expect(shard).toMatchObject({ epoch: 2, follower: null, state: 'in sync', fence: { kind: 'machine' } });
    expect(['node-3', 'node-4']).toContain(shard.primary);
    expect(shard.lostOwner).toBeUndefined();
    const order = statesOf(world);
    expect(order.lastIndexOf('Prove that the failed machine is stopped')).toBeLessThan(
      order.indexOf('Promote the owner of a shard'),
    );
    expect(world.hostCommands.sent.map((sent) => sent.split(' ')[0])).toEqual([
      'stop-database',
      'restore-volume',
      'start-database',
    ]);
    const evidence = await evidenceOf(world);
    expect(evidence.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(evidence.checks.map(({ name }) => name)).toContain('standbys that joined with every row of their primary');
    expect(evidence.milestonesMs['joined']).toBeGreaterThanOrEqual(evidence.milestonesMs['inSync'] ?? Infinity);
    expect(evidence.recoveryPointSeconds).toBeGreaterThanOrEqual(0);
  });

  it('is replaced though another standby can not follow the new one, which is named', async () => {
    const world = await open({ snapshot: true });
    await fail(world, 'node-1');
    const other = world.servers.at('10.0.0.4');
    const write = world.onStep;
    world.onStep = async (state) => {
      if (state === 'Promote the owner of a shard' && other !== null) {
        other.standby = false;
      }
      await write(state);
    };
    const execution = world.recover({ nodeId: 'node-1' });
    expect(await reasonOf(execution)).toMatch(/^node-1-r1 has taken the place of node-1/);
    expect((await evidenceOf(world)).decisions.map(({ reason }) => reason).join()).toContain(
      "node-4 does not follow it: node 'node-4' is a primary",
    );
  });

  it('is followed later by a standby that was silent when another one was promoted', async () => {
    const world = await open({ snapshot: true });
    await fail(world, 'node-1');
    const silent = world.servers.at('10.0.0.4');
    if (silent !== null) {
      silent.answers = false;
    }
    await world.recover({ nodeId: 'node-1' }).finished;
    const keep = async () =>
      keepStandingBehind(
        { clusterRegistry: world.registry, databases: world.databases },
        world.settings,
        await world.registry.node(cluster, 'node-4'),
      );
    await expect(keep()).rejects.toMatchObject({ name: 'SqlUnavailable' });
    if (silent !== null) {
      silent.answers = true;
    }
    const { primary } = await world.registry.shard(cluster, 'shard_0000');
    expect(await keep()).toBe(primary);
    expect(await keep()).toBeNull();
    expect(await world.leftovers()).toEqual([]);
    await expectUnharmed(world);
  });

  it('is not replaced where more would be lost than is allowed', async () => {
    const world = await open({ snapshot: true, settings: { policy: { maxLossBytes: 0 } } });
    for (const address of ['10.0.0.2', '10.0.0.3', '10.0.0.4']) {
      const standby = world.servers.at(address);
      if (standby !== null) {
        standby.replicates = false;
      }
    }
    await world.write('key-1', 'nowhere else');
    await fail(world, 'node-1');
    const execution = world.recover({ nodeId: 'node-1' });
    expect(await reasonOf(execution)).toMatch(/would lose up to \d+ bytes of log, and 0 are allowed/);
    expect(execution.status).toBe('FAILED');
    expect((await world.registry.shard(cluster, 'shard_0000')).primary).toBe('node-1');
  });

  it('is waited for where Patroni promotes, and never promoted', async () => {
    const world = await open({ snapshot: true, settings: { promotion: 'external' } });
    await fail(world, 'node-1');
    const standby = world.servers.at('10.0.0.3');
    const write = world.onStep;
    world.onStep = async (state) => {
      await write(state);
      if (state === 'Promote the owner of a shard' && standby !== null) {
        standby.standby = false;
        standby.behind = null;
        for (const name of ['rejoin_node_2', 'rejoin_node_4']) {
          standby.standbySlots.add(name);
        }
        for (const other of ['10.0.0.2', '10.0.0.4']) {
          const follower = world.servers.at(other);
          if (follower?.behind != null) {
            follower.behind = { ...follower.behind, primary: '10.0.0.3' };
          }
        }
      }
    };
    const execution = world.recover({ nodeId: 'node-1' });
    expect(await reasonOf(execution)).toMatch(/^node-1-r1 has taken the place of node-1/);
    expect((await world.registry.shard(cluster, 'shard_0000')).primary).toBe('node-3');
    await expectUnharmed(world);
  });

  it('is left to a person where nobody promotes in time', async () => {
    const world = await open({ snapshot: true, settings: { promotion: 'external' } });
    await fail(world, 'node-1');
    const execution = world.recover({ nodeId: 'node-1' });
    expect(await reasonOf(execution)).toContain('nobody became the primary of cluster');
    expect((await world.registry.shard(cluster, 'shard_0000')).primary).toBe('node-1');
  });

  it('is not replaced on purpose before it has given its role away', async () => {
    const world = await open({ snapshot: true });
    const execution = world.recover({ nodeId: 'node-1', planned: true, trigger: 'manual' });
    expect(await reasonOf(execution)).toContain('make another node the primary first');
    expect(world.hostCommands.sent).toEqual([]);
  });
});

describe('a standby', () => {
  it.each([
    ['that died', false],
    ['on purpose, while it lives', true],
  ])('is replaced %s, and the primary goes on', async (_what, planned) => {
    const world = await open({ snapshot: true });
    if (!planned) {
      await fail(world, 'node-3');
    }
    const execution = world.recover({ nodeId: 'node-3', planned, trigger: planned ? 'manual' : 'agent:node-2' });
    expect(await reasonOf(execution)).toMatch(/^node-3-r1 has taken the place of node-3/);
    await expectUnharmed(world);
    expect(await world.leftovers()).toEqual([]);
    expect(await world.registry.shard(cluster, 'shard_0000')).toMatchObject({ primary: 'node-1', epoch: 1 });
  });

  it('joins though some tables have no key, and says which were not compared', async () => {
    const world = await open({ snapshot: true });
    world.databases.tablesWithoutKey = ['visits', 'log'];
    await fail(world, 'node-3');
    const execution = world.recover({ nodeId: 'node-3' });
    expect(await reasonOf(execution)).toMatch(
      /; not compared, for they have no key: shard_0000.visits, shard_0000.log$/,
    );
  });

  it('is refused while the primary is silent too', async () => {
    const world = await open({ snapshot: true });
    await fail(world, 'node-3');
    await world.fail('node-1');
    const execution = world.recover({ nodeId: 'node-3' });
    expect(await reasonOf(execution)).toContain('the primary node-1 is silent too');
  });
});

describe('where there is nothing to restore from', () => {
  it.each([
    ['no snapshot', async () => undefined],
    [
      'an old one',
      async (world: SimulatedCluster) => {
        world.machines.snapshot((await world.registry.node(cluster, 'node-2')).machineId);
        await world.clock.sleep(25 * hourMs);
      },
    ],
    [
      'one from before the log that is kept',
      async (world: SimulatedCluster) => {
        world.machines.snapshot((await world.registry.node(cluster, 'node-2')).machineId);
        await world.clock.sleep(hourMs);
        for (const server of world.servers.all()) {
          server.logKeptFromMs = world.clock.nowMs();
        }
      },
    ],
  ])('a living node is copied: %s', async (_what, prepare) => {
    const world = await open({ snapshot: false });
    await prepare(world);
    await fail(world, 'node-3');
    const execution = world.recover({ nodeId: 'node-3' });
    expect(await reasonOf(execution)).toMatch(/^node-3-r1 has taken the place of node-3/);
    expect(statesOf(world)).toContain('Take a snapshot of a living node');
    await expectUnharmed(world);
  });
});

describe('what goes wrong on the way is undone', () => {
  it.each([
    [
      'a command that fails on the machine',
      (world: SimulatedCluster) => {
        world.hostCommands.failing = 'restore-volume';
      },
      /'restore-volume' failed on machine '[^']+': there is no device/,
    ],
    [
      'a standby that does not receive the log',
      (world: SimulatedCluster) => {
        const write = world.onStep;
        world.onStep = async (state) => {
          const server = state === 'Catch up with the log' ? world.servers.all().at(-1) : undefined;
          if (server !== undefined) {
            server.replicates = false;
          }
          await write(state);
        };
      },
      /and does not receive its log/,
    ],
  ])('%s', async (_what, prepare, reason) => {
    const world = await open({ snapshot: true });
    await fail(world, 'node-3');
    prepare(world);
    const execution = world.recover({ nodeId: 'node-3' });
    expect(await reasonOf(execution)).toMatch(reason);
    expect((await execution.finished).error).toBe('undone');
    await expectUnharmed(world);
    expect((await world.registry.node(cluster, 'node-3-r1')).state).toBe('retired');
    expect(world.servers.at('10.0.0.1')?.standbySlots).not.toContain('rejoin_node_3_r1');
  });
});
