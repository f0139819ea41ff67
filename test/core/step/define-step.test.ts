import * as z from 'zod';
import { RejoinError } from '../../../core/errors';
import { Leases, type Lease } from '../../../core/lease/lease';
import { RunLedger } from '../../../core/ledger/run-ledger';
import { defineStep, type StepContext } from '../../../core/step/define-step';
import { ManualClock } from '../../support/manual-clock';
import { SimulatedRegistry } from '../../support/simulated-registry';

const run = { machine: 'node-recovery', execution: 'orders-node-3', state: 'Launch the replacement' };
const input = z.strictObject({ nodeId: z.string() });

async function setUp() {
  const registry = new SimulatedRegistry();
  const clock = new ManualClock();
  await registry.write([
    { kind: 'put', key: { pk: 'CLUSTER#orders', sk: 'META' }, value: { epoch: 1 }, when: 'absent' },
  ]);
  return { clock, ledger: new RunLedger(registry, clock), leases: new Leases(registry, clock) };
}

test('a step that changes something acts once and gives the same answer twice', async () => {
  const ports = await setUp();
  let launched = 0;
  const step = defineStep(ports, { name: 'launch', input, effect: 'changes' }, async () => ({
    machine: `i-${++launched}`,
  }));
  expect(await step({ run, input: { nodeId: 'node-3' } })).toEqual({ machine: 'i-1' });
  expect(await step({ run, input: { nodeId: 'node-3' } })).toEqual({ machine: 'i-1' });
  expect(await step({ run, input: { nodeId: 'node-4' } })).toEqual({ machine: 'i-2' });
});

test('a step that only reads looks again each time', async () => {
  const ports = await setUp();
  let looked = 0;
  const step = defineStep(ports, { name: 'wait', input, effect: 'reads' }, async () => ({ looked: ++looked }));
  await step({ run, input: { nodeId: 'node-3' } });
  expect(await step({ run, input: { nodeId: 'node-3' } })).toEqual({ looked: 2 });
  expect(await ports.ledger.all(run)).toMatchObject([{ attempts: 2, result: { looked: 2 } }]);
});

test('a step that failed acts again, with the same client token', async () => {
  const ports = await setUp();
  const tokens: string[] = [];
  const step = defineStep(ports, { name: 'launch', input, effect: 'changes' }, async (_input, context: StepContext) => {
    tokens.push(context.clientToken('node-3'));
    if (tokens.length === 1) {
      throw new RejoinError('CapacityShort', 'no capacity');
    }
    return null;
  });
  await expect(step({ run, input: { nodeId: 'node-3' } })).rejects.toMatchObject({ name: 'CapacityShort' });
  expect(await ports.ledger.all(run)).toMatchObject([{ ok: false, error: 'CapacityShort: no capacity' }]);
  await step({ run, input: { nodeId: 'node-3' } });
  expect(tokens[0]).toHaveLength(64);
  expect(tokens[1]).toBe(tokens[0]);
  expect(await ports.ledger.all(run)).toMatchObject([{ ok: true, attempts: 2 }]);
});

test('a step without its lease does not act', async () => {
  const ports = await setUp();
  const lease = await ports.leases.take({ cluster: 'orders', name: '', holder: 'one', durationMs: 1_000 });
  let acted = false;
  const step = defineStep(ports, { name: 'promote', input, effect: 'changes', lease: (): Lease => lease }, async () => {
    acted = true;
    return null;
  });
  ports.clock.advance(1_000);
  await expect(step({ run, input: { nodeId: 'node-3' } })).rejects.toMatchObject({ name: 'LeaseLost' });
  expect(acted).toBe(false);
});

test('an unknown field is named, and nothing is done', async () => {
  const ports = await setUp();
  const step = defineStep(ports, { name: 'launch', input, effect: 'changes' }, async () => null);
  await expect(step({ run, input: { nodeId: 'node-3', nodeID: 'node-3' } })).rejects.toMatchObject({
    name: 'InvalidInput',
    message: `step 'launch' can't use its input: input: Unrecognized key: "nodeID"`,
  });
  await expect(step({ input: {} })).rejects.toMatchObject({ name: 'InvalidInput' });
  expect(await ports.ledger.all(run)).toEqual([]);
});

test('inputs that differ only in the order of their fields are the same input', async () => {
  const ports = await setUp();
  let acted = 0;
  const step = defineStep(
    ports,
    { name: 'launch', input: z.strictObject({ a: z.number(), b: z.number() }), effect: 'changes' },
    async () => ++acted,
  );
  await step({ run, input: { a: 1, b: 2 } });
  expect(await step({ run, input: { b: 2, a: 1 } })).toBe(1);
});
