import type { JsonObject } from '../../../core/json';
import { cluster, SimulatedCluster } from '../../support/simulated-cluster';
import { evidenceOf, expectUnharmed, reasonOf } from '../support/recovery-told';

describe('no action needed', () => {
  it('for a false alarm', async () => {
    const world = await SimulatedCluster.open();
    await world.opinion({ by: 'node-4', about: 'node-3', verdict: 'failed', detail: 'a lost packet' });
    const execution = world.recover({ nodeId: 'node-3' });
    expect(await reasonOf(execution)).toMatch(/^node-3 answers SQL/);
    expect(execution.status).toBe('SUCCEEDED');
    expect(await world.leftovers()).toEqual([]);
    expect((await evidenceOf(world)).outcome).toBe('no action needed');
  });
});

describe('refused', () => {
  const refusal = async (
    input: JsonObject,
    prepare: (world: SimulatedCluster) => Promise<void>,
  ): Promise<readonly [string | null, string]> => {
    const world = await SimulatedCluster.open();
    await prepare(world);
    const before = JSON.stringify(await world.registry.shards(cluster));
    const result = await world.recover(input).finished;
    expect(JSON.stringify(await world.registry.shards(cluster))).toBe(before);
    await expectUnharmed(world);
    return [result.error, result.cause ?? ''];
  };

  it('on one witness', async () => {
    expect(await refusal({ nodeId: 'node-3' }, (world) => world.fail('node-3', []))).toEqual([
      'refused',
      'only agent node-2 calls node-3 failed',
    ]);
  });

  it('when both owners of a shard are silent', async () => {
    const both = async (world: SimulatedCluster): Promise<void> => {
      await world.fail('node-3');
      await world.fail('node-4');
    };
    expect(await refusal({ nodeId: 'node-3' }, both)).toEqual([
      'refused',
      'both owners of shard_0002 are silent, and there is no usable backup: bring one of them back first',
    ]);
  });

  it('when more than half the nodes are silent', async () => {
    const three = async (world: SimulatedCluster): Promise<void> => {
      for (const node of ['node-1', 'node-3', 'node-4']) {
        await world.fail(node);
      }
    };
    const [error, cause] = await refusal({ nodeId: 'node-3' }, three);
    expect(error).toBe('refused');
    expect(cause).toContain('more than half the nodes are silent');
  });

  it('when rows can not be restored', async () => {
    const keyless = async (world: SimulatedCluster): Promise<void> => {
      await world.fail('node-3');
      world.databases.peculiarities = [
        {
          object: 'orders',
          kind: 'key',
          verdict: 'refused',
          reason: 'has no primary key',
          whatToDo: 'add a primary key',
        },
      ];
    };
    const [error, cause] = await refusal({ nodeId: 'node-3' }, keyless);
    expect([error, cause.slice(0, 25)]).toEqual(['refused', 'orders has no primary key']);
  });

  it('when the same node fails again soon', async () => {
    const world = await SimulatedCluster.open();
    await world.fail('node-3');
    await world.recover({ nodeId: 'node-3' }).finished;
    await world.clock.sleep(12 * 60_000);
    await world.fail('node-3-r1');
    const result = await world.recover({ nodeId: 'node-3-r1' }, 'recovery-2').finished;
    expect(result.error).toBe('refused');
    expect(result.cause).toMatch(/node-3 was replaced 1\d min ago/);
    await expectUnharmed(world);
  });

  it('for a node that is none', async () => {
    const [error, cause] = await refusal({ nodeId: 'node-9' }, async () => undefined);
    expect(error).toBe('refused');
    expect(cause).toContain(
      "node 'node-9' is not a member of cluster 'orders' (members: node-1, node-2, node-3, node-4)",
    );
  });
});
