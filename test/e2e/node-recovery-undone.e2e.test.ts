import { broken, rehearsalTimeoutMs, smallRehearsal } from './small-rehearsal';

/** The faults after which a recovery is undone, by the rehearsal's own checks, which read the databases back. */
test.each(['second-node', 'replacement-dies', 'write-storm'])(
  'fault %s ends as it must',
  async (fault) => {
    const report = await smallRehearsal({ fault });
    expect(broken(report)).toEqual([]);
    expect(report.checks.length).toBeGreaterThan(2);
  },
  rehearsalTimeoutMs,
);
