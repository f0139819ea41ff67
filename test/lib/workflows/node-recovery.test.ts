import { cluster, SimulatedCluster } from '../../support/simulated-cluster';
import { evidenceOf, expectUnharmed, reasonOf, writeMeanwhile } from '../support/recovery-told';

describe('recovered', () => {
  it.each([
    ['agents had taken over before', true],
    ['no agent had done anything', false],
  ])('under load, when %s', async (_what, agents) => {
    const world = await SimulatedCluster.open();
    writeMeanwhile(world);
    await world.fail('node-3');
    if (agents) {
      await world.agentsTakeOver('node-3');
    }
    const execution = world.recover({ nodeId: 'node-3' });
    expect(await reasonOf(execution)).toMatch(
      /^node-3-r1 has taken the place of node-3: \d+ rows compared equal, 4 shards/,
    );
    expect(execution.status).toBe('SUCCEEDED');
    await expectUnharmed(world);
    expect(await world.leftovers()).toEqual([]);
    const shards = await world.registry.shards(cluster);
    expect(shards.map((shard) => shard.state)).toEqual(Array.from({ length: 8 }, () => 'in sync'));
    const loads = ['node-1', 'node-2', 'node-3-r1', 'node-4'].map(
      (node) => shards.filter((shard) => shard.primary === node).length,
    );
    expect(loads).toEqual([2, 2, 2, 2]);
    expect(world.published.started).toEqual(['full-backup/after-recovery-1']);
  });

  it('leaves evidence: fences, checks, reasons', async () => {
    const world = await SimulatedCluster.open();
    await world.fail('node-3');
    await world.agentsTakeOver('node-3');
    await world.recover({ nodeId: 'node-3' }).finished;
    const evidence = await evidenceOf(world);
    expect(evidence.outcome).toBe('recovered');
    expect(evidence.checks.filter((check) => !check.ok)).toEqual([]);
    expect(evidence.checks).toHaveLength(4);
    expect(evidence.fences.map(({ of, fence }) => `${of} ${fence.kind}`)).toEqual([
      'shard_0002 follower',
      'shard_0006 follower',
      'node-3 machine',
    ]);
    expect(evidence.decisions.map((decision) => decision.reason)).toContain(
      'agent node-2 and agent node-4 call node-3 failed, and its SQL port refuses',
    );
    expect(evidence.milestonesMs['trafficRestored']).toBeLessThanOrEqual(0);
    expect(evidence.milestonesMs['joined']).toBeGreaterThanOrEqual(evidence.milestonesMs['inSync'] ?? Infinity);
    expect((await world.evidence.read(`${cluster}/node-recovery/recovery-1.html`)).toString()).toContain('node-3');
    expect(world.published.notes).toEqual(['orders: node-3 recovered']);
  });

  it('in the next site, where the first has no capacity', async () => {
    const world = await SimulatedCluster.open();
    await world.fail('node-3');
    world.machines.exhaust('b');
    await world.recover({ nodeId: 'node-3' }).finished;
    expect((await world.registry.node(cluster, 'node-3-r1')).site).toBe('a');
    await expectUnharmed(world);
    expect(await world.leftovers()).toEqual([]);
  });

  it('once, for two alarms at once', async () => {
    const world = await SimulatedCluster.open();
    await world.fail('node-3');
    const first = world.recover({ nodeId: 'node-3' }, 'by-agent');
    const second = world.recover({ nodeId: 'node-3', trigger: 'alarm' }, 'by-alarm');
    const reasons = await Promise.all([reasonOf(first), reasonOf(second)]);
    expect([first.status, second.status]).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    expect(reasons.filter((reason) => reason.includes('already recovers node-3'))).toHaveLength(1);
    expect(await world.leftovers()).toEqual([]);
    expect((await world.machines.list(cluster)).length).toBe(4);
  });

  it.each(['by its agents', 'by the workflow'])(
    'while the old node goes on with its own clients, fenced %s',
    async (by) => {
      const world = await SimulatedCluster.open();
      const zombie = world.servers.at('10.0.0.3');
      if (zombie === null) {
        throw new Error('node-3 has no server');
      }
      expect(world.servers.write('10.0.0.3', 'shard_0002', 'key-4', 'before')).toBe('acknowledged');
      world.acknowledged.set('shard_0002 key-4', ['before']);
      zombie.reachable = false;
      for (const agent of ['node-1', 'node-2', 'node-4']) {
        await world.opinion({ by: agent, about: 'node-3', verdict: 'failed', detail: 'timed out 3 times' });
      }
      if (by === 'by its agents') {
        await world.agentsTakeOver('node-3');
      }
      const heard: string[] = [];
      world.mortality.onCall = (call) => {
        // Right before a new primary accepts writes is the last moment at which the old one could still be confirmed.
        if (call === 'databases.openShard' || call === 'databases.stopFollowing') {
          heard.push(world.servers.write('10.0.0.3', 'shard_0002', 'key-4', 'too late'));
        }
      };
      world.onStep = async (state) => {
        if (state === 'Prove that the failed machine is stopped') {
          await world.write('key-4', 'after');
        }
      };
      await world.recover({ nodeId: 'node-3' }).finished;
      expect(heard[0]).toBe('not confirmed');
      expect(heard).not.toContain('acknowledged');
      expect(world.acknowledged.get('shard_0002 key-4')).toEqual(['after']);
      await expectUnharmed(world);
      expect(await world.leftovers()).toEqual([]);
    },
  );
});

describe('failed', () => {
  it.each([
    ['an unknown cluster', { cluster: 'shop', nodeId: 'node-3' }, "rejoin.yaml has no cluster 'shop'"],
    ['an unknown field', { nodeId: 'node-3', force: true }, 'force'],
    ['no node', {}, 'nodeId'],
  ])('before anything is changed, for %s', async (_what, input, words) => {
    const world = await SimulatedCluster.open();
    const result = await world.recover(input).finished;
    expect(result.error).toBe('failed');
    expect(result.cause).toContain(words);
    expect(await world.leftovers()).toEqual([]);
  });
});

describe('needs an operator', () => {
  it('when the machine can not be proved stopped: traffic is back, nothing is launched', async () => {
    const world = await SimulatedCluster.open();
    await world.fail('node-3');
    world.machines.hang((await world.registry.node(cluster, 'node-3')).machineId);
    const result = await world.recover({ nodeId: 'node-3' }).finished;
    expect(result.error).toBe('needs an operator');
    expect(result.cause).toMatch(
      /^the fence is not proved: the machine API does not say stopped: machine i-\d+ is stopping/,
    );
    await expectUnharmed(world);
    expect((await world.registry.shards(cluster)).every((shard) => shard.primary !== 'node-3')).toBe(true);
    expect(await world.write('key-2', 'after')).toBe('acknowledged');
    expect(world.steps.map((step) => step.state)).not.toContain('Launch the replacement');
  });
});

describe('a step that is not certain', () => {
  it('ends with an operator when the evidence can not be written', async () => {
    const world = await SimulatedCluster.open();
    const calls = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    world.mortality.kills.push(
      ...calls.map((call) => ({ port: 'evidence', method: 'write', call, when: 'before' as const })),
    );
    const result = await world.recover({ nodeId: 'node-1' }).finished;
    expect(result.error).toBe('needs an operator');
    expect(result.cause).toMatch(
      /^ended as no action needed \(node-1 answers SQL .*\), but the evidence could not be written/,
    );
  });

  it('stops when its lease was taken by somebody else, and undoes under a lease of its own', async () => {
    const world = await SimulatedCluster.open();
    await world.fail('node-3');
    let stolen = false;
    world.onStep = async (state) => {
      if (state === 'Hand over a shard' && !stolen) {
        stolen = true;
        const held = await world.store.read({ pk: `CLUSTER#${cluster}`, sk: 'LEASE' });
        const value = { ...held, holder: 'somebody', epoch: 99, expiresAtMs: world.clock.nowMs() + 60_000 };
        await world.store.write([
          { kind: 'put', key: { pk: `CLUSTER#${cluster}`, sk: 'LEASE' }, value, when: { equals: {} } },
        ]);
      }
    };
    const result = await world.recover({ nodeId: 'node-3' }).finished;
    expect([result.error, result.cause?.includes('LeaseLost')]).toEqual(['undone', true]);
    await expectUnharmed(world);
    expect(await world.leftovers()).toEqual([]);
  });
});

describe('undone', () => {
  it('when no site has capacity', async () => {
    const world = await SimulatedCluster.open();
    await world.fail('node-3');
    world.machines.exhaust('a');
    world.machines.exhaust('b');
    const result = await world.recover({ nodeId: 'node-3' }).finished;
    expect([result.error, result.cause]).toEqual([
      'undone',
      "no capacity for node-3's replacement in b, a (CapacityShort)",
    ]);
    await expectUnharmed(world);
    expect(await world.leftovers()).toEqual([]);
  });

  it.each(['Load a chunk', 'Compare rows of a shard', 'Hand over a shard'])(
    'when the replacement dies at "%s", and a later execution recovers',
    async (state) => {
      const world = await SimulatedCluster.open();
      await world.fail('node-3');
      let dead = false;
      world.onStep = async (name) => {
        if (name === state && !dead) {
          dead = true;
          world.servers.kill(world.dns.resolve('node-3-r1.orders.internal'));
        }
      };
      const result = await world.recover({ nodeId: 'node-3' }).finished;
      expect(result.error).toBe('undone');
      await expectUnharmed(world);
      expect(await world.leftovers()).toEqual([]);
      world.onStep = async () => undefined;
      const again = world.recover({ nodeId: 'node-3', trigger: 'manual' }, 'recovery-2');
      expect(await reasonOf(again)).toMatch(/^node-3-r2 has taken the place of node-3/);
      await expectUnharmed(world);
      expect(await world.leftovers()).toEqual([]);
    },
  );

  it('when a survivor dies while rows are restored, and names what is left on it', async () => {
    const world = await SimulatedCluster.open();
    await world.fail('node-3');
    world.onStep = async (name) => {
      if (name === 'Load a chunk') {
        world.servers.kill(world.dns.resolve('node-4.orders.internal'));
      }
    };
    const result = await world.recover({ nodeId: 'node-3' }).finished;
    expect(result.error).toBe('undone');
    expect(result.cause).toContain('left over: slots s0002e2 and s0002e1 on node-4');
    expect((await world.registry.node(cluster, 'node-3-r1')).state).toBe('retired');
  });
});
