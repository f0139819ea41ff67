import { heartbeatAlarmName, replacementAlarmName } from '../../core/alarms/alarm-names';
import { occasionOf, readStarterEvent } from '../../core/starter/occasion';
import { EventPattern } from '../../local/templates/event-pattern';
import type { JsonObject } from '../../core/json';
import { exampleApp, resourcesOf, templatesOf } from './support/example-app';

const templates = templatesOf(exampleApp());
const rules = resourcesOf(templates, 'AWS::Events::Rule');

function ruleOf(id: string): JsonObject {
  const found = rules.find(([path]) => path.includes(`Triggers${id}`));
  if (found === undefined) {
    throw new Error(`there is no rule '${id}' among ${rules.map(([path]) => path).join(', ')}`);
  }
  return found[1].Properties as JsonObject;
}

/** Events in the form in which AWS documents them, and what the starter makes of each. */
const events: readonly (readonly [rule: string, event: JsonObject, occasion: object])[] = [
  [
    'Alarms',
    {
      source: 'aws.cloudwatch',
      'detail-type': 'CloudWatch Alarm State Change',
      detail: {
        alarmName: heartbeatAlarmName('orders', 'node-3'),
        state: { value: 'ALARM', reason: 'no datapoints were received' },
        previousState: { value: 'OK' },
      },
    },
    { kind: 'alarm', cluster: 'orders', member: 'node-3' },
  ],
  [
    'Alarms',
    {
      source: 'aws.cloudwatch',
      'detail-type': 'CloudWatch Alarm State Change',
      detail: {
        alarmName: replacementAlarmName('orders', 'node-3-r1', 'i-0123456789abcdef0'),
        state: { value: 'ALARM', reason: 'threshold crossed' },
        previousState: { value: 'OK' },
      },
    },
    { kind: 'machine alarm', cluster: 'orders', nodeId: 'node-3-r1' },
  ],
  [
    'Machines',
    {
      source: 'aws.ec2',
      'detail-type': 'EC2 Instance State-change Notification',
      detail: { 'instance-id': 'i-00000000000000003', state: 'shutting-down' },
    },
    { kind: 'machine', machineId: 'i-00000000000000003' },
  ],
  [
    'ManagedDatabases',
    {
      source: 'aws.rds',
      'detail-type': 'RDS DB Instance Event',
      detail: {
        EventCategories: ['availability'],
        SourceType: 'DB_INSTANCE',
        SourceIdentifier: 'invoices-1',
        Message: 'DB instance shutdown',
        EventID: 'RDS-EVENT-0004',
      },
    },
    { kind: 'machine', machineId: 'invoices-1', what: 'DB instance shutdown' },
  ],
  [
    'Agents',
    {
      source: 'rejoin',
      'detail-type': 'ShardsPromoted',
      detail: { cluster: 'orders', nodeId: 'node-3', by: 'node-2', promoted: [] },
    },
    { kind: 'promoted', cluster: 'orders', nodeId: 'node-3', by: 'node-2' },
  ],
];

test.each(events)('rule %s lets its event through, and the starter understands it', (rule, event, occasion) => {
  const pattern = new EventPattern(ruleOf(rule)['EventPattern'] as JsonObject, rule);
  expect(pattern.matches(event)).toBe(true);
  expect(occasionOf(readStarterEvent(event))).toMatchObject(occasion);
});

test.each(events)('rule %s lets no event of the others through', (rule, event) => {
  const others = new Set(events.map(([name]) => name).filter((name) => name !== rule));
  expect(others.size).toBe(3);
  for (const name of others) {
    expect(new EventPattern(ruleOf(name)['EventPattern'] as JsonObject, name).matches(event)).toBe(false);
  }
});

test('a machine that starts, and an alarm that ends, start nothing', () => {
  const eventOf = (rule: string): JsonObject | undefined => events.find(([name]) => name === rule)?.[1];
  const [alarm, machine] = [eventOf('Alarms'), eventOf('Machines')];
  const pattern = (rule: string): EventPattern => new EventPattern(ruleOf(rule)['EventPattern'] as JsonObject, rule);
  const ended = { ...alarm, detail: { ...(alarm?.['detail'] as JsonObject), state: { value: 'OK' } } };
  const starting = { ...machine, detail: { 'instance-id': 'i-1', state: 'running' } };
  expect(pattern('Alarms').matches(ended)).toBe(false);
  expect(pattern('Machines').matches(starting)).toBe(false);
});

test('each cluster has its schedules, which the starter understands', () => {
  const schedules = rules
    .map(([, { Properties }]) => Properties)
    .filter((rule) => rule['ScheduleExpression'] !== undefined)
    .map((rule) => {
      const [target] = rule['Targets'] as readonly { readonly Input: string }[];
      return [rule['ScheduleExpression'], occasionOf(readStarterEvent(JSON.parse(target?.Input ?? '')))];
    });
  expect(schedules).toEqual(
    expect.arrayContaining([
      ['cron(0 2 ? * SUN *)', { kind: 'schedule', machine: 'full-backup', cluster: 'orders' }],
      ['rate(1 minute)', { kind: 'schedule', machine: 'change-backup', cluster: 'orders' }],
      ['cron(0 2 ? * SUN *)', { kind: 'schedule', machine: 'full-backup', cluster: 'invoices' }],
      ['rate(1 minute)', { kind: 'schedule', machine: 'change-backup', cluster: 'invoices' }],
    ]),
  );
  expect(schedules).toHaveLength(4);
});

test('each node has a heartbeat alarm by which the starter knows it, and silence sets it off', () => {
  const alarms = resourcesOf(templates, 'AWS::CloudWatch::Alarm')
    .map(([, { Properties }]) => Properties)
    .filter(({ MetricName: metric }) => metric === 'Heartbeat');
  expect(alarms).toHaveLength(6);
  for (const alarm of alarms) {
    expect(alarm).toMatchObject({
      Namespace: 'Rejoin',
      Period: 10,
      EvaluationPeriods: 3,
      TreatMissingData: 'breaching',
    });
    expect(alarm['AlarmName']).toMatch(/^rejoin\/heartbeat\/(orders\/node-[1-4]|invoices\/node-[12])$/);
  }
});
