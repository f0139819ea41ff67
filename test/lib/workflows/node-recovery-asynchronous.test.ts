import { reportedLossFigure } from '../../../core/node-recovery/recovery-evidence';
import { reportedPositionKey } from '../../../core/node-recovery/reported-position';
import { cluster, SimulatedCluster } from '../../support/simulated-cluster';
import { evidenceOf, expectUnharmed, reasonOf, writeMeanwhile } from '../support/recovery-told';

describe('an asynchronous cluster', () => {
  const settings = { durability: 'asynchronous' };
  const report = async (
    world: SimulatedCluster,
    position: string,
    confirmed: Readonly<Record<string, string>> = {},
  ): Promise<void> => {
    const item = { nodeId: 'node-3', position, atMs: world.clock.nowMs(), confirmed, earlier: [] };
    await world.store.write([
      { kind: 'put', key: reportedPositionKey(cluster, 'node-3'), value: item, when: { absentOrEquals: {} } },
    ]);
  };

  it('promotes after the machine is proved stopped, and says what may be lost', async () => {
    const world = await SimulatedCluster.open({ settings });
    await world.fail('node-3');
    await report(world, world.servers.at('10.0.0.3')?.position() ?? '');
    const execution = world.recover({ nodeId: 'node-3', trigger: 'alarm' });
    expect(await reasonOf(execution)).toMatch(/^node-3-r1 has taken the place of node-3/);
    const order = world.steps.map((step) => step.state);
    expect(order.lastIndexOf('Prove that the failed machine is stopped')).toBeLessThan(
      order.indexOf('Promote the owner of a shard'),
    );
    await expectUnharmed(world);
    expect((await world.registry.shard(cluster, 'shard_0002')).fence?.kind).toBe('machine');
    const { recoveryPointSeconds, figures } = await evidenceOf(world);
    expect(figures).toContainEqual({ name: reportedLossFigure, value: 0, unit: 'bytes' });
    // From the last report to the proof of the fence.
    expect(recoveryPointSeconds).toBeGreaterThan(0);
    expect(recoveryPointSeconds).toBeLessThan(60);
  });

  it('knows by what the primary reported that an idle shard lacks nothing', async () => {
    const world = await SimulatedCluster.open({ settings });
    const { position, confirmed } = {
      position: '0/3000000',
      confirmed: { s0002e1: '0/3000000', s0006e1: '0/3000000' },
    };
    await world.fail('node-3');
    await report(world, position, confirmed);
    const execution = world.recover({ nodeId: 'node-3', trigger: 'alarm' });
    expect(await reasonOf(execution)).toMatch(/^node-3-r1 has taken the place of node-3/);
    await expectUnharmed(world);
  });

  it.each([
    ['never reported its position', null, 'node-3 never reported its position'],
    ['had written more than may be lost', '0/3000000', '16777216 are allowed'],
  ])('waits for an operator when the dead primary %s', async (_what, position, words) => {
    const world = await SimulatedCluster.open({ settings });
    await world.fail('node-3');
    if (position !== null) {
      await report(world, position);
    }
    const result = await world.recover({ nodeId: 'node-3', trigger: 'alarm' }).finished;
    expect(result.error).toBe('needs an operator');
    expect(result.cause).toContain(words);
    expect((await world.registry.shard(cluster, 'shard_0002')).primary).toBe('node-3');
    expect(world.writers()).toEqual([]);
  });
});

describe('managed instances', () => {
  const settings = { durability: 'asynchronous', policy: { maxLossBytes: 0 } };
  const openManaged = async (): Promise<SimulatedCluster> => {
    const world = await SimulatedCluster.open({ settings, managed: true });
    const position = world.servers.at('node-3.rds.internal')?.position() ?? '';
    const item = { nodeId: 'node-3', position, atMs: world.clock.nowMs(), confirmed: {}, earlier: [] };
    await world.store.write([
      { kind: 'put', key: reportedPositionKey(cluster, 'node-3'), value: item, when: 'absent' },
    ]);
    return world;
  };

  it.each([
    ['from a snapshot, whose old rows, shards and subscriptions do no harm', true],
    ['from the other owners, where there is no snapshot', false],
  ])('are restored %s', async (_what, snapshot) => {
    const world = await openManaged();
    if (snapshot) {
      world.snapshot('node-3');
    }
    writeMeanwhile(world);
    await world.fail('node-3');
    const execution = world.recover({ nodeId: 'node-3', trigger: 'alarm' });
    expect(await reasonOf(execution)).toMatch(/^node-3-r1 has taken the place of node-3/);
    await expectUnharmed(world);
    const server = world.servers.at('orders-node-3-r1.rds.internal');
    expect([...(server?.subscriptions.keys() ?? [])].every((name) => !name.endsWith('e1'))).toBe(true);
    expect(world.managed.isolated('orders-node-3-r1')).toBe(false);
    // Should anybody start it again before it is deleted, it reaches no client.
    expect(world.managed.isolated('orders-node-3')).toBe(true);
    expect(await world.managed.observe('orders-node-3')).toMatchObject({ state: 'deleting' });
  });

  it('that can not be stopped are put in quarantine', async () => {
    const world = await openManaged();
    world.managed.forbidStop('orders-node-3');
    await world.fail('node-3');
    const execution = world.recover({ nodeId: 'node-3', trigger: 'alarm' });
    await execution.finished;
    expect(execution.status).toBe('SUCCEEDED');
    const fences = (await evidenceOf(world)).fences.filter(({ of }) => of === 'node-3');
    expect(fences).toEqual([
      {
        of: 'node-3',
        fence: expect.objectContaining({ api: 'instance orders-node-3 is available in quarantine' }) as object,
      },
    ]);
  });
});
