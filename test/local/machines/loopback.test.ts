import { LoopbackRange } from '../../../local/machines/loopback';

test('gives each claim a range of its own, and a released one again', async () => {
  const first = await LoopbackRange.claim(83);
  const second = await LoopbackRange.claim(83);
  expect(second.prefix).not.toBe(first.prefix);
  expect(first.address(1, 2)).toBe(`${first.prefix}.1.2`);
  await first.release();
  const third = await LoopbackRange.claim(Number(first.prefix.split('.')[1]));
  expect(third.prefix).toBe(first.prefix);
  await second.release();
  await third.release();
});
