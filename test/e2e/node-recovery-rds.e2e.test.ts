import { broken, rehearsalTimeoutMs, smallRehearsal } from './small-rehearsal';

/**
 * Nodes on RDS instances, whose commits wait for nobody: fenced by stop or quarantine, promoted within the bound on losses,
 * restored from a snapshot or into an empty instance.
 */
test.each(['kill', 'no-stop', 'no-snapshot', 'zombie'])(
  'fault %s ends as it must',
  async (fault) => {
    const report = await smallRehearsal({ fault, machines: 'rds', durability: 'asynchronous' });
    expect(broken(report)).toEqual([]);
    expect(report.checks.map(({ name }) => name)).toContain('writes lost within the bound of the evidence');
  },
  rehearsalTimeoutMs,
);

test(
  'an EC2 node that returns after the fence acknowledges nothing where commits wait for nobody',
  async () => {
    const report = await smallRehearsal({ fault: 'zombie', durability: 'asynchronous' });
    expect(broken(report)).toEqual([]);
  },
  rehearsalTimeoutMs,
);
