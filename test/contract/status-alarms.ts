import { watchedBy } from '../../core/alarms/alarm-names';
import type { StatusAlarms } from '../../core/ports/status-alarms';

export interface StatusAlarmsSubject {
  /** Without alarms. */
  readonly alarms: StatusAlarms;
  /** The names of all that there are. */
  names(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** What every `StatusAlarms` does, wherever they are. */
export function describeStatusAlarmsContract(name: string, makeSubject: () => Promise<StatusAlarmsSubject>): void {
  describe(`StatusAlarms: ${name}`, () => {
    let subject: StatusAlarmsSubject;
    const first = { cluster: 'orders', nodeId: 'node-3-r1', machineId: 'i-0123456789abcdef0' };
    const second = { cluster: 'orders', nodeId: 'node-3-r2', machineId: 'i-0123456789abcdef1' };

    beforeEach(async () => {
      subject = await makeSubject();
    });
    afterEach(async () => {
      await subject.close();
    });

    test('watches a machine by a name from which the starter knows whose it is', async () => {
      await subject.alarms.put(first);
      const names = await subject.names();
      expect(names).toEqual(['rejoin/status/orders/node-3-r1/i-0123456789abcdef0']);
      expect(names.map(watchedBy)).toEqual([{ what: 'status', cluster: 'orders', node: 'node-3-r1' }]);
    });

    test('watches it once, however often it is asked to', async () => {
      await subject.alarms.put(first);
      await subject.alarms.put(first);
      await subject.alarms.put(second);
      expect(await subject.names()).toHaveLength(2);
    });

    test('watches it no longer, and the others on', async () => {
      await subject.alarms.put(first);
      await subject.alarms.put(second);
      await subject.alarms.remove(first);
      expect(await subject.names()).toEqual(['rejoin/status/orders/node-3-r2/i-0123456789abcdef1']);
    });

    test('an absent one is no error', async () => {
      await subject.alarms.remove(first);
      await subject.alarms.put(first);
      await subject.alarms.remove(first);
      await subject.alarms.remove(first);
      expect(await subject.names()).toEqual([]);
    });
  });
}
