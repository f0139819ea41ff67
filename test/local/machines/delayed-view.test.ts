import fc from 'fast-check';
import { DelayedView } from '../../../local/machines/delayed-view';

test('tells what was true when the lag began, and nothing before the first', () => {
  const entries = fc
    .array(fc.nat(1_000), { minLength: 1, maxLength: 20 })
    .map((times) => [...times].sort((a, b) => a - b));
  fc.assert(
    fc.property(entries, fc.nat(200), fc.nat(1_500), (times, lagMs, nowMs) => {
      const view = new DelayedView<number>(lagMs);
      times.forEach((atMs, index) => {
        view.enter(index, atMs);
      });
      const known = times.filter((atMs) => atMs <= nowMs - lagMs);
      expect(view.at(nowMs)).toBe(known.length === 0 ? null : known.length - 1);
      expect(view.newest).toBe(times.length - 1);
    }),
  );
});
