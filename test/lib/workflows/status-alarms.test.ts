import { SimulatedCluster } from '../../support/simulated-cluster';

async function machineOf(world: SimulatedCluster, nodeId: string): Promise<string> {
  return (await world.registry.node('orders', nodeId)).machineId;
}

test("whoever takes a place is watched by the machine API's checks until it is replaced itself", async () => {
  const world = await SimulatedCluster.open({ shards: 4 });
  await world.fail('node-3');
  await world.recover({ nodeId: 'node-3' }).finished;
  const first = await machineOf(world, 'node-3-r1');
  expect([...world.statusAlarms.names]).toEqual([`rejoin/status/orders/node-3-r1/${first}`]);

  await world.fail('node-3-r1');
  await world.recover({ nodeId: 'node-3-r1', trigger: 'manual' }, 'recovery-2').finished;
  const second = await machineOf(world, 'node-3-r2');
  expect([...world.statusAlarms.names]).toEqual([`rejoin/status/orders/node-3-r2/${second}`]);
  expect(await world.leftovers()).toEqual([]);
});

test('the alarm of a replacement that is taken away is named where it can not be deleted', async () => {
  const world = await SimulatedCluster.open({ shards: 4 });
  await world.fail('node-3');
  world.onStep = async (state) => {
    if (state === 'Load a chunk') {
      world.statusAlarms.refuses = true;
      world.servers.kill(world.dns.resolve('node-3-r1.orders.internal'));
    }
  };
  const { error, cause } = await world.recover({ nodeId: 'node-3' }).finished;
  expect(error).toBe('undone');
  expect(cause).toContain('; left over: the status alarm of node-3-r1 (too many alarms)');
});

test('no recovery is given up because nobody may put alarms; its reason says what is not watched', async () => {
  const world = await SimulatedCluster.open({ shards: 4 });
  await world.fail('node-3');
  world.statusAlarms.refuses = true;
  const execution = world.recover({ nodeId: 'node-3' });
  expect((await execution.finished).status).toBe('SUCCEEDED');
  const said = execution.history
    .map(({ stateExitedEventDetails }) => stateExitedEventDetails?.output ?? '')
    .flatMap((output) => /(?<=; )[^;]*too many alarms\)/.exec(output)?.[0] ?? []);
  expect([...new Set(said)]).toEqual([
    'nothing watches its status checks (too many alarms)',
    'left: the status alarm of node-3 (too many alarms)',
  ]);
});

test('nodes on RDS have no status checks: RDS announces by events what happens to them', async () => {
  const world = await SimulatedCluster.open({ shards: 4, managed: true, settings: { durability: 'asynchronous' } });
  await world.fail('node-3');
  await world.recover({ nodeId: 'node-3', trigger: 'manual' }).finished;
  expect([...world.statusAlarms.names]).toEqual([]);
});
