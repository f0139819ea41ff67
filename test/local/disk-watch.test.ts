import { DiskWatch } from '../../local/disk-watch';

const mebibyte = 1_048_576;

test('a disk with room aborts nothing, and what was thrown stays what it is', async () => {
  const watch = new DiskWatch(async () => 33 * mebibyte);
  watch.add('/a');
  const thrown = new Error('something else');
  expect(await watch.explain(thrown)).toBe(thrown);
  expect(watch.signal.aborted).toBe(false);
  watch.close();
});

test('a disk without room aborts the run, and is why it could not go on, whatever broke first', async () => {
  let freeBytes = 100 * mebibyte;
  const watch = new DiskWatch(async (path) => (path === '/full' ? freeBytes : 100 * mebibyte));
  watch.add('/a');
  watch.add('/full');
  await watch.explain(null);
  expect(watch.signal.aborted).toBe(false);
  freeBytes = 5 * mebibyte;
  const full = {
    name: 'NoDiskSpace',
    message:
      'the disk of /full has 5.0 MiB left, and a rehearsal ends when less than 32.0 MiB are; make room and start it again',
  };
  expect(await watch.explain(new Error('a server ended'))).toMatchObject(full);
  expect(watch.signal.reason).toMatchObject(full);
  // Its files are gone by now, and the reason is still the same.
  freeBytes = 100 * mebibyte;
  expect(await watch.explain(new Error('closed'))).toMatchObject(full);
  watch.close();
});

test('it looks by itself', async () => {
  const watch = new DiskWatch(async () => 0);
  watch.add('/full');
  await new Promise((resolve) => {
    watch.signal.addEventListener('abort', resolve);
  });
  expect(watch.signal.reason).toMatchObject({ name: 'NoDiskSpace' });
  watch.close();
});

test('a directory that is gone is no full disk', async () => {
  const watch = new DiskWatch();
  watch.add('/nowhere/at/all');
  expect(await watch.explain('x')).toBe('x');
  watch.close();
});
