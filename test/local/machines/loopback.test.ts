import { LoopbackRange, refusalOf } from '../../../local/machines/loopback';

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

test('where the system has no such address, as on macOS, the command that adds it is in the sentence', () => {
  const failure = (code: string) => Object.assign(new Error(`listen ${code}`), { code });
  expect(refusalOf(failure('EADDRNOTAVAIL'), '127.83.0.1')).toMatchObject({
    name: 'ApiRefused',
    message: expect.stringMatching(
      /^this system has no loopback address 127\.83\.0\.1, .*'for a in 0\.1 .*; do sudo ifconfig lo0 alias 127\.83\.\$a; done'$/,
    ) as string,
  });
  expect(refusalOf(failure('EADDRINUSE'), '127.83.0.1')).toBeNull();
  expect(refusalOf(failure('EACCES'), '127.83.0.1')).toMatchObject({ message: 'listen EACCES' });
});
