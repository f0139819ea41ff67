import { systemClock } from '../../../adapters/system-clock';
import { VirtualClock } from '../../../local/states/virtual-clock';

test('wakes sleepers in the order of their times, and those of one moment in the order in which they went to sleep', async () => {
  const clock = new VirtualClock(0);
  const woken: string[] = [];
  const sleep = async (name: string, ms: number): Promise<void> => {
    await clock.sleep(ms);
    woken.push(`${name}@${clock.nowMs()}`);
  };
  const random = [70, 30, 50, 30, 10, 90, 30, 20, 60, 30];
  await Promise.all(random.map(async (ms, index) => sleep(`s${index}`, ms)));
  expect(woken).toEqual(['s4@10', 's7@20', 's1@30', 's3@30', 's6@30', 's9@30', 's2@50', 's8@60', 's0@70', 's5@90']);
});

test('lets all that a sleeper continues come to rest before it wakes the next one', async () => {
  const clock = new VirtualClock(0);
  const steps: string[] = [];
  const worker = async (name: string): Promise<void> => {
    await clock.sleep(10);
    for (let step = 0; step < 50; step++) {
      await Promise.resolve();
      steps.push(name);
    }
  };
  await Promise.all([worker('a'), worker('b')]);
  expect(steps.join('')).toBe('a'.repeat(50) + 'b'.repeat(50));
});

test('time passes only in sleep, and not for a sleep that was given up', async () => {
  const clock = new VirtualClock(0);
  const abort = new AbortController();
  const reason = new Error('enough');
  const given = clock.sleep(1000, abort.signal);
  abort.abort(reason);
  await expect(given).rejects.toBe(reason);
  await expect(clock.sleep(5, abort.signal)).rejects.toBe(reason);
  await clock.sleep(7);
  expect(clock.nowMs()).toBe(7);
});

test('stands still during work that it cannot see', async () => {
  const clock = new VirtualClock(0);
  const outside = clock.during(
    new Promise<number>((resolve) => {
      setTimeout(() => {
        resolve(clock.nowMs());
      }, 20);
    }),
  );
  const asleep = clock.sleep(1000);
  expect(await outside).toBe(0);
  await asleep;
  expect(clock.nowMs()).toBe(1000);
});

test('the real clock sleeps as long as asked, and ends when aborted', async () => {
  const clock = systemClock;
  const beganMs = clock.nowMs();
  await clock.sleep(20);
  expect(clock.nowMs() - beganMs).toBeGreaterThanOrEqual(20);
  const abort = new AbortController();
  const given = clock.sleep(2 ** 40, abort.signal);
  abort.abort(new Error('enough'));
  await expect(given).rejects.toThrow('enough');
});
