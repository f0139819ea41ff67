import { systemClock } from '../../adapters/system-clock';
import { systemRandom } from '../../adapters/system-random';
import type { Clock } from '../../core/ports/clock';
import { EventBus } from '../../local/control/event-bus';
import { LocalAlarms } from '../../local/control/local-alarms';
import { LocalMetrics } from '../../local/control/local-metrics';
import { LocalStatusAlarms } from '../../local/control/local-status-alarms';
import { VirtualClock } from '../../local/states/virtual-clock';
import { describeStatusAlarmsContract } from './status-alarms';

function open(clock: Clock) {
  const metrics = new LocalMetrics(clock, null);
  const bus = new EventBus({
    rules: [],
    ownBus: 'rejoin',
    clock,
    random: systemRandom,
    record: null,
    deliver: async () => undefined,
  });
  const alarms = new LocalAlarms({ alarms: [], metrics, bus, clock, everyMs: 1_000, act: async () => undefined });
  return { metrics, alarms, statusAlarms: new LocalStatusAlarms(alarms) };
}

describeStatusAlarmsContract('in the local cloud', async () => {
  const { alarms, statusAlarms } = open(systemClock);
  return { alarms: statusAlarms, names: async () => alarms.names, close: async () => alarms.close() };
});

test('goes off when the checks of its machine fail twice in a row, and of no other', async () => {
  const clock = new VirtualClock(Date.UTC(2026, 0, 1));
  const { alarms, metrics, statusAlarms } = open(clock);
  const name = (machineId: string): string => `rejoin/status/orders/node-3-r1/${machineId}`;
  for (const machineId of ['i-1', 'i-2']) {
    await statusAlarms.put({ cluster: 'orders', nodeId: 'node-3-r1', machineId });
  }
  const report = async (failed: number): Promise<void> => {
    const metric = { namespace: 'AWS/EC2', metricName: 'StatusCheckFailed' };
    metrics.add({ ...metric, dimensions: { InstanceId: 'i-1' } }, failed);
    metrics.add({ ...metric, dimensions: { InstanceId: 'i-2' } }, 0);
    await clock.sleep(60_000);
  };
  await report(0);
  await report(0);
  await report(1);
  expect(alarms.stateOf(name('i-1'))).toBe('OK');
  await report(1);
  await clock.sleep(2_000);
  expect([alarms.stateOf(name('i-1')), alarms.stateOf(name('i-2'))]).toEqual(['ALARM', 'OK']);
  await alarms.close();
});
