import { ClusterRegistry } from '../../../core/cluster/cluster-registry';
import type { NodeItem } from '../../../core/cluster/items';
import type { JsonObject } from '../../../core/json';
import { heartbeatAlarmName } from '../../../core/alarms/alarm-names';
import { makeStarter } from '../../../lambdas/starter/start-execution';
import { SimulatedRegistry } from '../../support/simulated-registry';

const atMs = Date.UTC(2026, 0, 2, 3, 4, 5);

interface Started {
  readonly machine: string;
  readonly name: string;
  readonly input: JsonObject;
}

/** State machines whose executions only begin: what matters here is that a name stays taken. */
function startsOnly() {
  const started: Started[] = [];
  return {
    started,
    start: async (order: Started) => {
      const taken = started.some(({ machine, name }) => machine === order.machine && name === order.name);
      if (!taken) {
        started.push(order);
      }
      return { arn: `${order.machine}/${order.name}`, started: !taken };
    },
  };
}

function node(id: string, machineId: string): NodeItem {
  return {
    id,
    site: 'site-a',
    machineKind: 'ec2',
    machineId,
    host: `${id}.example.com`,
    port: 5432,
    state: 'serving',
    builder: null,
    replacedAtMs: [],
  };
}

async function world() {
  const registry = new SimulatedRegistry();
  const clusters = new ClusterRegistry(registry);
  await clusters.add('orders', { kind: 'NODE', value: node('node-3', 'i-3') });
  await clusters.add('invoices', { kind: 'NODE', value: node('node-1', 'i-7') });
  const executions = startsOnly();
  const clock = { nowMs: () => atMs, sleep: async () => undefined };
  return { executions, starter: makeStarter({ clock, registry, executions, clusters: ['orders', 'invoices'] }) };
}

const alarm = {
  source: 'aws.cloudwatch',
  detail: { alarmName: heartbeatAlarmName('orders', 'node-3'), state: { value: 'ALARM' } },
};

test('an alarm starts one recovery, however often it is repeated', async () => {
  const { starter, executions } = await world();
  await expect(starter(alarm)).resolves.toMatchObject({ started: true, execution: 'orders-node-3-alarm-20260102T03' });
  await expect(starter(alarm)).resolves.toMatchObject({
    started: false,
    reason: 'this occasion already has its execution',
  });
  expect(executions.started).toEqual([
    {
      machine: 'node-recovery',
      name: 'orders-node-3-alarm-20260102T03',
      input: { cluster: 'orders', nodeId: 'node-3', trigger: 'alarm', acceptLossSeconds: null, planned: false },
    },
  ]);
});

test('the machine of an event is searched in all clusters', async () => {
  const { starter, executions } = await world();
  await starter({ source: 'aws.ec2', detail: { 'instance-id': 'i-7', state: 'stopped' } });
  expect(executions.started.map(({ input }) => input)).toEqual([
    expect.objectContaining({ cluster: 'invoices', nodeId: 'node-1', trigger: 'machine' }),
  ]);
});

test("somebody else's machine starts nothing, and says why", async () => {
  const { starter, executions } = await world();
  await expect(starter({ source: 'aws.ec2', detail: { 'instance-id': 'i-8', state: 'stopped' } })).resolves.toEqual({
    machine: null,
    execution: null,
    started: false,
    reason: 'nobody serves at machine i-8: no node is there',
  });
  expect(executions.started).toEqual([]);
});

test('an event that it does not know is refused by name', async () => {
  const { starter } = await world();
  await expect(starter({ source: 'aws.s3' })).rejects.toMatchObject({
    name: 'InvalidInput',
    message: expect.stringContaining(`the starter does not know this event: {"source":"aws.s3"}`) as unknown,
  });
});

test.each([
  [
    'a field that there is not',
    { trigger: 'manual', machine: 'node-recovery', cluster: 'orders', nodeId: 'node-3', force: true },
    'InvalidInput',
    `the starter can't use this event: event: Unrecognized key: "force"; fields of trigger 'manual': trigger, machine, cluster, nodeId, acceptLossSeconds, planned`,
  ],
  [
    'a field that is missing',
    { trigger: 'manual', machine: 'node-recovery', cluster: 'orders' },
    'InvalidInput',
    "the starter can't use this event: nodeId: Invalid input: expected string",
  ],
  [
    'a cluster that there is not',
    { trigger: 'manual', machine: 'node-recovery', cluster: 'order', nodeId: 'node-3' },
    'NotFound',
    "rejoin.yaml has no cluster 'order' (clusters: orders, invoices); check 'cluster' in the event",
  ],
  [
    'the schedule of a cluster that there is not',
    { trigger: 'schedule', machine: 'full-backup', cluster: 'shop' },
    'NotFound',
    "rejoin.yaml has no cluster 'shop' (clusters: orders, invoices)",
  ],
])('a wish with %s starts nothing', async (_what, event, name, message) => {
  const { starter, executions } = await world();
  await expect(starter(event)).rejects.toMatchObject({ name, message: expect.stringContaining(message) as unknown });
  expect(executions.started).toEqual([]);
});
