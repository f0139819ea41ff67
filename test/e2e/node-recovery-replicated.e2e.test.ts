import { broken, rehearsalTimeoutMs, smallRehearsal } from './small-rehearsal';

/** Every node holds all rows: a standby is promoted, and the dead node is rebuilt from a volume snapshot and the log. */
const faults = [
  'kill',
  'kill-standby',
  'planned-standby',
  'no-snapshot',
  'zombie',
  'false-alarm',
  'one-witness',
  'step-killed',
  'two-alarms',
  'again',
] as const;

test.each(faults)(
  'fault %s ends as it must where each node holds all rows',
  async (fault) => {
    const report = await smallRehearsal({ layout: 'replicated', nodes: 3, shards: 1, fault });
    expect(broken(report)).toEqual([]);
    expect(report.checks.map(({ name }) => name)).toContain('servers that took a write');
    expect(report.load.acknowledged).toBeGreaterThan(100);
  },
  rehearsalTimeoutMs,
);
