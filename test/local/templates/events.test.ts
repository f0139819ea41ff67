import type { Json, JsonObject } from '../../../core/json';
import { EventPattern } from '../../../local/templates/event-pattern';
import { targetInput, type TargetInput } from '../../../local/templates/target-input';

const event: JsonObject = {
  source: 'aws.cloudwatch',
  'detail-type': 'CloudWatch Alarm State Change',
  time: '2026-01-01T00:00:00Z',
  resources: ['arn:one', 'arn:two'],
  detail: { alarmName: 'rejoin/heartbeat/orders/node-3', state: { value: 'ALARM' }, count: 3, nothing: null },
};

describe('a pattern', () => {
  const cases: readonly (readonly [JsonObject, boolean])[] = [
    [{}, true],
    [{ source: ['aws.cloudwatch'] }, true],
    [{ source: ['aws.ec2', 'aws.cloudwatch'] }, true],
    [{ source: ['aws.ec2'] }, false],
    [{ source: ['aws.cloudwatch'], 'detail-type': ['Something else'] }, false],
    [{ detail: { state: { value: ['ALARM'] } } }, true],
    [{ detail: { state: { value: ['OK'] } } }, false],
    [{ detail: { count: [3] } }, true],
    [{ detail: { count: ['3'] } }, false],
    [{ detail: { nothing: [null] } }, true],
    [{ detail: { absent: [null] } }, false],
    [{ resources: ['arn:two'] }, true],
    [{ resources: [{ prefix: 'arn:t' }] }, true],
    [{ detail: { alarmName: [{ prefix: 'rejoin/heartbeat/orders/' }] } }, true],
    [{ detail: { alarmName: [{ prefix: 'rejoin/status/' }] } }, false],
    [{ detail: { alarmName: [{ suffix: '/node-3' }] } }, true],
    [{ detail: { count: [{ prefix: '3' }] } }, false],
    [{ detail: { state: { value: [{ 'anything-but': 'OK' }] } } }, true],
    [{ detail: { state: { value: [{ 'anything-but': ['OK', 'ALARM'] }] } } }, false],
    [{ detail: { alarmName: [{ 'anything-but': { prefix: 'rejoin/' } }] } }, false],
    [{ detail: { absent: [{ 'anything-but': 'x' }] } }, false],
    [{ detail: { absent: [{ exists: false }], count: [{ exists: true }] } }, true],
    [{ detail: { absent: { deeper: [{ exists: false }] } } }, true],
    [{ detail: { count: { deeper: ['x'] } } }, false],
  ];
  test.each(cases)('%j on the event is %s', (pattern, expected) => {
    expect(new EventPattern(pattern, 'a rule').matches(event)).toBe(expected);
  });

  test.each([
    { source: 'aws.ec2' },
    { source: [{ cidr: '10.0.0.0/8' }] },
    { a: [{ prefix: { 'equals-ignore-case': 'x' } }] },
  ])('%j is refused', (pattern) => {
    expect(() => new EventPattern(pattern, 'a rule')).toThrow(/rule 'a rule'/);
  });
});

describe('the input of a target', () => {
  const rule = { name: 'r', arn: 'arn:rule' };
  const template = (text: string, paths: Record<string, string> = {}): TargetInput => ({
    kind: 'template',
    paths: {
      name: '$.detail.alarmName',
      state: '$.detail.state',
      count: '$.detail.count',
      none: '$.detail.absent',
      ...paths,
    },
    template: text,
  });
  const cases: readonly (readonly [TargetInput, Json])[] = [
    [{ kind: 'event' }, event],
    [{ kind: 'constant', value: { a: [1] } }, { a: [1] }],
    [{ kind: 'path', path: '$' }, event],
    [{ kind: 'path', path: '$.detail.state' }, { value: 'ALARM' }],
    [{ kind: 'path', path: '$.resources[1]' }, 'arn:two'],
    [
      template('{"name":<name>,"state":<state>,"count":<count>}'),
      { name: 'rejoin/heartbeat/orders/node-3', state: { value: 'ALARM' }, count: 3 },
    ],
    [
      template('"<name> is <state>, \\"<count>\\" times"'),
      'rejoin/heartbeat/orders/node-3 is {"value":"ALARM"}, "3" times',
    ],
    [template('{"none":<none>,"text":"<none>"}'), { none: '', text: '' }],
    [template('{"rule":<aws.events.rule-name>,"whole":<aws.events.event.json>}'), { rule: 'r', whole: event }],
    [template('{"kept":"<unknown>"}'), { kept: '<unknown>' }],
    [template('{"type":<type>}', { type: "$['detail-type']" }), { type: 'CloudWatch Alarm State Change' }],
    [template('{"type":<type>}', { type: '$.detail-type' }), { type: 'CloudWatch Alarm State Change' }],
  ];
  test.each(cases)('%j', (input, expected) => {
    expect(targetInput(input, event, rule)).toEqual(expected);
  });

  test('that is no JSON, or asks for an odd path, is refused', () => {
    expect(() => targetInput(template('{"name":'), event, rule)).toThrow(/rule 'r'/);
    expect(() => targetInput({ kind: 'path', path: '$..detail' }, event, rule)).toThrow(/not a path/);
    expect(() => targetInput({ kind: 'path', path: 'detail' }, event, rule)).toThrow(/not a path/);
  });
});
