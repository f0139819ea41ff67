import { heartbeatAlarmName, replacementAlarmName, statusAlarmName } from '../../../core/alarms/alarm-names';
import type { NodeItem } from '../../../core/cluster/items';
import { decideStart } from '../../../core/starter/decide-start';
import type { Occasion } from '../../../core/starter/occasion';
import { occasionOf, readStarterEvent } from '../../../core/starter/occasion';

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5);

function node(id: string, machineId: string, state: NodeItem['state'] = 'serving'): NodeItem {
  return {
    id,
    site: 'site-a',
    machineKind: 'ec2',
    machineId,
    host: `${id}.example.com`,
    port: 5432,
    state,
    builder: null,
    replacedAtMs: [],
  };
}

const nodes = [
  { cluster: 'orders', node: node('node-1', 'i-1') },
  { cluster: 'orders', node: node('node-3', 'i-3', 'retired') },
  { cluster: 'orders', node: node('node-3-r1', 'i-3b', 'silent') },
  { cluster: 'orders', node: node('node-1-r1', 'i-9', 'building') },
  { cluster: 'invoices', node: node('node-1', 'invoices-1') },
];

function decided(event: unknown): unknown {
  return decideStart({ occasion: occasionOf(readStarterEvent(event)), nodes, nowMs });
}

function alarmEvent(alarmName: string, value = 'ALARM'): unknown {
  return { version: '0', source: 'aws.cloudwatch', detail: { alarmName, state: { value, reason: 'missing data' } } };
}

function machineEvent(instanceId: string, state: string): unknown {
  return { source: 'aws.ec2', 'detail-type': 'x', detail: { 'instance-id': instanceId, state } };
}

const automatic = { acceptLossSeconds: null, planned: false };

test.each([
  [
    'an alarm starts the recovery of whoever serves in the place',
    alarmEvent(heartbeatAlarmName('orders', 'node-3')),
    'orders-node-3-r1-alarm-20260102T03',
    { cluster: 'orders', nodeId: 'node-3-r1', trigger: 'alarm', ...automatic },
  ],
  [
    "an alarm on the machine's checks is the machine API's voice",
    alarmEvent(statusAlarmName('invoices', 'node-1')),
    'invoices-node-1-machine-20260102T03',
    { cluster: 'invoices', nodeId: 'node-1', trigger: 'machine', ...automatic },
  ],
  [
    "an alarm on the checks of a replacement's machine",
    alarmEvent(replacementAlarmName('orders', 'node-3-r1', 'i-4')),
    'orders-node-3-r1-machine-20260102T03',
    { cluster: 'orders', nodeId: 'node-3-r1', trigger: 'machine', ...automatic },
  ],
  [
    'a stopping machine',
    machineEvent('i-1', 'stopping'),
    'orders-node-1-machine-20260102T03',
    { cluster: 'orders', nodeId: 'node-1', trigger: 'machine', ...automatic },
  ],
  [
    'an event of RDS',
    { source: 'aws.rds', detail: { SourceIdentifier: 'invoices-1', Message: 'DB instance shutdown' } },
    'invoices-node-1-machine-20260102T03',
    { cluster: 'invoices', nodeId: 'node-1', trigger: 'machine', ...automatic },
  ],
  [
    'promoted shards',
    {
      source: 'rejoin',
      'detail-type': 'ShardsPromoted',
      detail: { cluster: 'orders', nodeId: 'node-1', by: 'node-2', promoted: [] },
    },
    'orders-node-1-promoted-20260102T03',
    { cluster: 'orders', nodeId: 'node-1', trigger: 'agent:node-2', ...automatic },
  ],
  [
    'a person',
    { trigger: 'manual', machine: 'node-recovery', cluster: 'orders', nodeId: 'node-1', acceptLossSeconds: 61 },
    'orders-node-1-manual-20260102T0304',
    { cluster: 'orders', nodeId: 'node-1', trigger: 'manual', acceptLossSeconds: 61, planned: false },
  ],
])('%s', (_what, event, name, input) => {
  expect(decided(event)).toEqual({ action: 'start', machine: 'node-recovery', name, input });
});

test('a schedule starts its machine, each time under another name', () => {
  expect(decided({ trigger: 'schedule', machine: 'change-backup', cluster: 'orders' })).toEqual({
    action: 'start',
    machine: 'change-backup',
    name: 'orders-schedule-20260102T0304',
    input: { cluster: 'orders' },
  });
});

test.each([
  ['an alarm that ends', alarmEvent(heartbeatAlarmName('orders', 'node-1'), 'OK'), 'is in state OK'],
  [
    'an alarm on the checks of a machine in the making',
    alarmEvent(replacementAlarmName('orders', 'node-1-r1', 'i-9')),
    'node-1-r1 is building',
  ],
  [
    'an alarm by a name that is none of ours',
    alarmEvent(`${heartbeatAlarmName('orders', 'node-1')}/i-1`),
    'is about no node',
  ],
  ["somebody else's alarm", alarmEvent('cpu-too-high'), "alarm 'cpu-too-high' is about no node"],
  ['a machine that starts', machineEvent('i-1', 'running'), 'machine i-1 is running'],
  ["somebody else's machine", machineEvent('i-777', 'stopped'), 'nobody serves at machine i-777: no node is there'],
  [
    'a failed check of a machine whose node was replaced',
    alarmEvent(statusAlarmName('orders', 'node-3')),
    "nobody serves at the machine of node-3 in cluster 'orders': node-3 is retired",
  ],
  ['a retired machine', machineEvent('i-3', 'terminated'), 'nobody serves at machine i-3: node-3 is retired'],
  ['a machine in the making', machineEvent('i-9', 'stopped'), 'node-1-r1 is building'],
])('%s starts nothing, with the reason', (_what, event, reason) => {
  expect(decided(event)).toEqual({ action: 'none', reason: expect.stringContaining(reason) as unknown });
});

test('a node that was only silent does not take the name from its promotion', () => {
  const names = (['silent', 'promoted'] as const).map((kind) => {
    const occasion: Occasion = { kind, cluster: 'orders', nodeId: 'node-1', by: 'node-2' };
    const decision = decideStart({ occasion, nodes, nowMs });
    return decision.action === 'start' ? decision.name : null;
  });
  expect(new Set(names).size).toBe(2);
});

test.each([
  ['no event', 'hello'],
  ['an unknown source', { source: 'aws.s3', detail: {} }],
  ['an unknown field of an order', { trigger: 'schedule', machine: 'full-backup', cluster: 'orders', node: 'node-1' }],
  ['a cluster name that is none', { trigger: 'schedule', machine: 'full-backup', cluster: 'Orders!' }],
])('%s is not understood', (_what, event) => {
  expect(() => readStarterEvent(event)).toThrow(/^the starter (does not know|can't use) this event: /);
});
