import { broken, rehearsalTimeoutMs, smallRehearsal } from './small-rehearsal';

/** The faults after which nothing may be changed, by the rehearsal's own checks, which read the databases back. */
test.each(['false-alarm', 'one-witness'])(
  'fault %s ends as it must',
  async (fault) => {
    const report = await smallRehearsal({ fault });
    expect(broken(report)).toEqual([]);
    expect(report.checks.length).toBeGreaterThan(2);
  },
  rehearsalTimeoutMs,
);
