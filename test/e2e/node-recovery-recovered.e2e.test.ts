import { broken, rehearsalTimeoutMs, smallRehearsal } from './small-rehearsal';

/** The faults that a recovery gets over, by the rehearsal's own checks, which read the databases back. */
test.each(['kill', 'corrupt-chunk', 'slot-lost', 'zombie'])(
  'fault %s ends as it must',
  async (fault) => {
    const report = await smallRehearsal({ fault });
    expect(broken(report)).toEqual([]);
    expect(report.checks.length).toBeGreaterThan(2);
  },
  rehearsalTimeoutMs,
);
