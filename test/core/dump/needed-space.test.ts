import fc from 'fast-check';
import { whyNoRoom } from '../../../core/dump/needed-space';

test('a full disk is told with what is needed and what there is', () => {
  expect(whyNoRoom(1_000_000_000, 5_000_000_000)).toBe(
    'a rehearsal on a dump of 1.0 GB needs 10.1 GB for three copies of its rows with their logs and a backup, and the disk has 5.0 GB free; make room, or start it in a directory on another disk',
  );
});

test('more room never turns a yes into a no', () => {
  fc.assert(
    fc.property(fc.nat(1e12), fc.nat(1e13), fc.nat(1e12), (dump, free, more) => {
      const [before, after] = [whyNoRoom(dump, free), whyNoRoom(dump, free + more)];
      expect(before === null && after !== null).toBe(false);
    }),
  );
});
