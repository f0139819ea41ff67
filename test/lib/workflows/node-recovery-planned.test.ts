import { cluster, SimulatedCluster } from '../../support/simulated-cluster';
import { evidenceOf, expectUnharmed, reasonOf, writeMeanwhile } from '../support/recovery-told';

describe('a planned replacement', () => {
  const planned = { nodeId: 'node-3', trigger: 'manual', planned: true };
  const first = (world: SimulatedCluster, state: string) => world.steps.findIndex((step) => step.state === state);

  it('launches first, moves primaries, fences last, and never leaves a single copy', async () => {
    const world = await SimulatedCluster.open();
    writeMeanwhile(world);
    const singles: string[] = [];
    const write = world.store.write.bind(world.store);
    world.store.write = async (changes) => {
      await write(changes);
      const shards = await world.registry.shards(cluster);
      singles.push(...shards.filter((shard) => shard.follower === null).map((shard) => shard.id));
    };
    const execution = world.recover(planned);
    expect(await reasonOf(execution)).toMatch(/^node-3-r1 has taken the place of node-3/);
    expect(singles).toEqual([]);
    const last = world.steps.findLastIndex((step) => step.state === 'Hand over a shard');
    expect(first(world, 'Launch the replacement')).toBeLessThan(first(world, 'Move a primary away'));
    expect(first(world, 'Move a primary away')).toBeLessThan(first(world, 'Load a chunk'));
    expect(last).toBeLessThan(first(world, 'Fence the replaced node'));
    expect(world.steps.map((step) => step.state)).not.toContain('Promote the owner of a shard');
    await expectUnharmed(world);
    expect(await world.leftovers()).toEqual([]);
    const evidence = await evidenceOf(world);
    expect(evidence.checks.filter((check) => !check.ok)).toEqual([]);
    expect(evidence.milestonesMs['fenced']).toBeGreaterThan(evidence.milestonesMs['joined'] ?? Infinity);
  });

  it.each(['Load a chunk', 'Compare rows of a shard'])(
    'goes on where the old node dies at "%s", and its shards go on alone',
    async (state) => {
      const world = await SimulatedCluster.open();
      let dead = false;
      world.onStep = async (name) => {
        if (name === state && !dead) {
          dead = true;
          await world.fail('node-3');
          await world.agentsTakeOver('node-3');
        }
      };
      expect(await reasonOf(world.recover(planned))).toMatch(/^node-3-r1 has taken the place of node-3/);
      await expectUnharmed(world);
      expect(await world.leftovers()).toEqual([]);
    },
  );

  it('is undone with two copies of everything where the replacement dies', async () => {
    const world = await SimulatedCluster.open();
    world.onStep = async (name) => {
      if (name === 'Compare rows of a shard') {
        world.servers.kill(world.dns.resolve('node-3-r1.orders.internal'));
      }
    };
    const result = await world.recover(planned).finished;
    expect(result.error).toBe('undone');
    await expectUnharmed(world);
    expect(await world.leftovers()).toEqual([]);
    expect((await world.registry.shards(cluster)).map((shard) => shard.state)).toEqual(
      Array.from({ length: 8 }, () => 'in sync'),
    );
    expect((await world.registry.node(cluster, 'node-3')).state).toBe('serving');
  });

  it('keeps both nodes where it can not be finished, for each is a second copy of some shards', async () => {
    const world = await SimulatedCluster.open();
    let handedOver = 0;
    world.onStep = async (name) => {
      handedOver += name === 'Hand over a shard' ? 1 : 0;
      if (handedOver === 3) {
        world.servers.kill(world.dns.resolve('node-3-r1.orders.internal'));
      }
    };
    const result = await world.recover(planned).finished;
    expect(result.error).toBe('needs an operator');
    expect(result.cause).toMatch(/node-3-r1 stays, for shard_\d+.* would lose a copy without it/);
    await expectUnharmed(world);
  });

  it.each([
    ['a shard has a single copy', 'node-4', true, "shard_0002 is 'single copy'"],
    ['the other owner is silent', 'node-4', false, 'the other owner of shard_0002, node-4, is silent'],
  ])('is refused where %s', async (_what, other, agents, words) => {
    const world = await SimulatedCluster.open();
    await world.fail(other);
    if (agents) {
      await world.agentsTakeOver(other);
    }
    const result = await world.recover(planned).finished;
    expect(result.error).toBe('refused');
    expect(result.cause).toContain(words);
    expect(result.cause).toContain('a planned replacement keeps two copies of each shard throughout');
  });
});
