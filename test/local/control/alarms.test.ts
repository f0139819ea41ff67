import { systemRandom } from '../../../adapters/system-random';
import type { JsonObject } from '../../../core/json';
import { EventBus } from '../../../local/control/event-bus';
import { judgeAlarm, type AlarmState } from '../../../local/control/judge-alarm';
import { LocalAlarms } from '../../../local/control/local-alarms';
import { LocalMetrics } from '../../../local/control/local-metrics';
import { VirtualClock } from '../../../local/states/virtual-clock';
import type { DeployedAlarm } from '../../../local/templates/deployed-app';
import { EventPattern } from '../../../local/templates/event-pattern';

const heartbeat: DeployedAlarm = {
  name: 'rejoin/heartbeat/orders/node-3',
  arn: 'arn:aws:cloudwatch:eu-central-1:123456789012:alarm:rejoin/heartbeat/orders/node-3',
  description: 'no heartbeat',
  namespace: 'Rejoin',
  metricName: 'Heartbeat',
  dimensions: { Node: 'node-3' },
  statistic: 'SampleCount',
  periodSeconds: 10,
  evaluationPeriods: 3,
  datapointsToAlarm: 3,
  threshold: 1,
  comparison: 'LessThanThreshold',
  missingData: 'breaching',
  alarmActions: ['arn:aws:sns:eu-central-1:123456789012:topic'],
};

describe('an alarm is judged', () => {
  const cases: readonly (readonly [Partial<DeployedAlarm>, readonly (number | null)[], AlarmState, AlarmState])[] = [
    [{}, [1, 2, 1], 'OK', 'OK'],
    [{}, [0, 0, 0], 'OK', 'ALARM'],
    [{}, [null, null, null], 'OK', 'ALARM'],
    [{}, [null, 1, null], 'OK', 'OK'],
    [{ datapointsToAlarm: 2 }, [null, 1, null], 'OK', 'ALARM'],
    [{ missingData: 'notBreaching' }, [null, null, null], 'ALARM', 'OK'],
    [{ missingData: 'notBreaching' }, [0, null, 0], 'OK', 'OK'],
    [{ missingData: 'missing' }, [null, null, null], 'ALARM', 'INSUFFICIENT_DATA'],
    [{ missingData: 'missing' }, [null, null, 1], 'ALARM', 'OK'],
    [{ missingData: 'ignore' }, [null, null, null], 'ALARM', 'ALARM'],
    [{ missingData: 'ignore' }, [1, null, null], 'ALARM', 'OK'],
    [{ comparison: 'GreaterThanThreshold' }, [1, 1, 1], 'OK', 'OK'],
    [{ comparison: 'GreaterThanOrEqualToThreshold' }, [1, 1, 1], 'OK', 'ALARM'],
    [{ comparison: 'LessThanOrEqualToThreshold' }, [1, 1, 1], 'OK', 'ALARM'],
    [{ comparison: 'LessThanThreshold' }, [1, 1, 1], 'ALARM', 'OK'],
  ];
  test.each(cases)('%j with %j after %s is %s', (changes, values, before, expected) => {
    expect(judgeAlarm({ ...heartbeat, ...changes }, values, before).state).toBe(expected);
  });

  test('with a reason in words', () => {
    expect(judgeAlarm(heartbeat, [0, null, 2], 'OK').reason).toBe(
      '2 of the last 3 periods breach the threshold of 1 (0, no data, 2)',
    );
  });
});

describe('alarms on a clock', () => {
  const clock = new VirtualClock(Date.UTC(2026, 0, 1));
  const metrics = new LocalMetrics(clock, null);
  const delivered: JsonObject[] = [];
  const acted: string[] = [];
  const bus = new EventBus({
    rules: [
      {
        name: 'r',
        arn: 'arn:r',
        description: null,
        enabled: true,
        bus: 'default',
        pattern: new EventPattern({ source: ['aws.cloudwatch'] }, 'r'),
        schedule: null,
        targets: [{ arn: 'arn:t', input: { kind: 'path', path: '$.detail' } }],
      },
    ],
    ownBus: 'rejoin',
    clock,
    random: systemRandom,
    record: null,
    deliver: async (_arn, input) => {
      delivered.push(input as JsonObject);
    },
  });
  let alarms: LocalAlarms;
  afterAll(async () => alarms.close());

  const beat = async (): Promise<void> =>
    metrics.publish([{ name: 'Heartbeat', unit: 'Count', value: 1, dimensions: { Node: 'node-3' } }]);
  const shown = (): readonly unknown[] =>
    delivered.map((detail) => [
      (detail['previousState'] as JsonObject)['value'],
      (detail['state'] as JsonObject)['value'],
    ]);

  test('an agent that never beat is not missed; one that stops is, 30 s later, once', async () => {
    alarms = new LocalAlarms({
      alarms: [heartbeat],
      metrics,
      bus,
      clock,
      everyMs: 1_000,
      act: async (action, alarm) => {
        acted.push(`${alarm.name} ${action}`);
      },
    });
    await clock.sleep(60_000);
    expect(alarms.stateOf(heartbeat.name)).toBe('INSUFFICIENT_DATA');
    for (let beats = 0; beats < 12; beats++) {
      await beat();
      await clock.sleep(5_000);
    }
    expect(alarms.stateOf(heartbeat.name)).toBe('OK');
    await clock.sleep(28_000);
    expect(alarms.stateOf(heartbeat.name)).toBe('OK');
    await clock.sleep(8_000);
    expect(alarms.stateOf(heartbeat.name)).toBe('ALARM');
    await clock.sleep(60_000);
    expect(shown()).toEqual([
      ['INSUFFICIENT_DATA', 'OK'],
      ['OK', 'ALARM'],
    ]);
    expect(acted).toEqual([`${heartbeat.name} ${heartbeat.alarmActions[0] ?? ''}`]);
    await beat();
    await clock.sleep(11_000);
    expect(alarms.stateOf(heartbeat.name)).toBe('OK');
  });
});

describe('a metric', () => {
  const metric = { namespace: 'AWS/EC2', metricName: 'StatusCheckFailed', dimensions: { InstanceId: 'i-1' } };

  test('has statistics over a time', async () => {
    const clock = new VirtualClock(0);
    const metrics = new LocalMetrics(clock, null);
    for (const value of [5, 1, 3]) {
      metrics.add(metric, value);
      await clock.sleep(1_000);
    }
    const over =
      (fromMs: number, toMs: number) =>
      (statistic: DeployedAlarm['statistic']): number | null =>
        metrics.statistic(metric, statistic, { fromMs, toMs });
    const statistics = ['SampleCount', 'Sum', 'Average', 'Minimum', 'Maximum'] as const;
    expect(statistics.map(over(0, 3_000))).toEqual([3, 9, 3, 1, 5]);
    expect(statistics.map(over(0, 1_000))).toEqual([1, 5, 5, 5, 5]);
    expect(statistics.map(over(3_000, 9_000))).toEqual([null, null, null, null, null]);
  });

  test('forgets what is older than three hours', async () => {
    const clock = new VirtualClock(0);
    const metrics = new LocalMetrics(clock, null);
    metrics.add(metric, 1);
    await clock.sleep(4 * 3_600_000);
    for (let values = 0; values < 1_000; values++) {
      metrics.add(metric, 2);
    }
    expect(metrics.beganAtMs(metric)).toBe(4 * 3_600_000);
  });
});
