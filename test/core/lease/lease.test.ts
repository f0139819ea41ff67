import { Leases } from '../../../core/lease/lease';
import { ManualClock } from '../../support/manual-clock';
import { SimulatedRegistry } from '../../support/simulated-registry';

const order = { cluster: 'orders', name: '', durationMs: 60_000 };
const metaKey = { pk: 'CLUSTER#orders', sk: 'META' };

async function setUp() {
  const registry = new SimulatedRegistry();
  const clock = new ManualClock();
  await registry.write([{ kind: 'put', key: metaKey, value: { name: 'orders', epoch: 7 }, when: 'absent' }]);
  return { registry, clock, leases: new Leases(registry, clock) };
}

test('taking a lease raises the epoch of the cluster', async () => {
  const { registry, leases } = await setUp();
  const lease = await leases.take({ ...order, holder: 'one' });
  expect(lease.epoch).toBe(8);
  expect(await registry.read(metaKey)).toEqual({ name: 'orders', epoch: 8 });
});

test('the holder takes its lease again with the same epoch and a later end', async () => {
  const { clock, leases } = await setUp();
  const first = await leases.take({ ...order, holder: 'one' });
  clock.advance(30_000);
  const second = await leases.take({ ...order, holder: 'one' });
  expect(second).toEqual({ ...first, expiresAtMs: first.expiresAtMs + 30_000 });
});

test('a second execution is told who holds it and for how long', async () => {
  const { leases } = await setUp();
  await leases.take({ ...order, holder: 'one' });
  await expect(leases.take({ ...order, holder: 'two' })).rejects.toMatchObject({
    name: 'LeaseHeld',
    message: "'one' holds the lease of cluster 'orders' for 60 s more; wait for it or stop that execution",
  });
});

test('a lease that ran out is taken over, and its old holder stops', async () => {
  const { clock, leases } = await setUp();
  const old = await leases.take({ ...order, holder: 'one' });
  clock.advance(60_000);
  await expect(leases.check(old)).rejects.toMatchObject({ name: 'LeaseLost' });
  const taken = await leases.take({ ...order, holder: 'two' });
  expect(taken.epoch).toBe(old.epoch + 1);
  await expect(leases.renew(old, 60_000)).rejects.toMatchObject({ name: 'LeaseLost' });
  await leases.release(old);
  await expect(leases.check(taken)).resolves.toBeUndefined();
});

test('of two that take it at once, one gets it', async () => {
  const { leases } = await setUp();
  const answers = await Promise.allSettled([
    leases.take({ ...order, holder: 'one' }),
    leases.take({ ...order, holder: 'two' }),
  ]);
  expect(answers.map((answer) => answer.status).sort()).toEqual(['fulfilled', 'rejected']);
  const refused = answers.find((answer) => answer.status === 'rejected');
  expect(refused?.reason).toMatchObject({ name: 'LeaseHeld' });
});

test('leases of other names stand beside it', async () => {
  const { leases } = await setUp();
  await leases.take({ ...order, holder: 'one' });
  const capture = await leases.take({ ...order, name: 'capture', holder: 'two' });
  expect(capture.epoch).toBe(9);
});

test('a lease that was given back is free', async () => {
  const { leases } = await setUp();
  await leases.release(await leases.take({ ...order, holder: 'one' }));
  expect(await leases.read('orders', '')).toBeNull();
  await expect(leases.take({ ...order, holder: 'two' })).resolves.toMatchObject({ holder: 'two', epoch: 9 });
});

test('an unknown cluster is named', async () => {
  const { leases } = await setUp();
  await expect(leases.take({ ...order, cluster: 'ordres', holder: 'one' })).rejects.toMatchObject({
    name: 'NotFound',
    message: "cluster 'ordres' is not in the registry; check 'cluster' in the execution input",
  });
});
