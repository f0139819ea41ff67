import { broken, rehearsalTimeoutMs, smallRehearsal } from '../small-rehearsal';

test(
  'without the passes a restore misses rows, and the checks count them',
  async () => {
    const report = await smallRehearsal({ ablate: ['passes'] });
    expect(broken(report)).toContainEqual(expect.stringMatching(/^rows that the restore alone missed/));
  },
  rehearsalTimeoutMs,
);

test(
  'without the node filter more rows are moved',
  async () => {
    const report = await smallRehearsal({ ablate: ['node-filter'] });
    expect(broken(report)).toContainEqual(expect.stringMatching(/^rows on the new node outside its ownership/));
  },
  rehearsalTimeoutMs,
);
