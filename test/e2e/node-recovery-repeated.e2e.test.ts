import { broken, rehearsalTimeoutMs, smallRehearsal } from './small-rehearsal';

/** The faults in which something happens twice, by the rehearsal's own checks, which read the databases back. */
test.each(['step-killed', 'two-alarms', 'again'])(
  'fault %s ends as it must',
  async (fault) => {
    const report = await smallRehearsal({ fault });
    expect(broken(report)).toEqual([]);
    expect(report.checks.length).toBeGreaterThan(2);
  },
  rehearsalTimeoutMs,
);
