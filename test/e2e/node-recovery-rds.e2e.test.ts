import { broken, rehearsalTimeoutMs, smallRehearsal, testFaults } from './small-rehearsal';

/**
 * Nodes on RDS instances, whose commits wait for nobody: fenced by stop or quarantine, promoted within the bound on losses,
 * restored from a snapshot or into an empty instance.
 */
testFaults(
  ['kill', 'no-stop', 'no-snapshot', 'zombie'],
  { machines: 'rds', durability: 'asynchronous' },
  'writes lost within the bound of the evidence',
);

test(
  'an EC2 node that returns after the fence acknowledges nothing where commits wait for nobody',
  async () => {
    const report = await smallRehearsal({ fault: 'zombie', durability: 'asynchronous' });
    expect(broken(report)).toEqual([]);
  },
  rehearsalTimeoutMs,
);
