import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Change } from '../../../core/ports/registry';
import { LocalRegistry } from '../../../local/registry/local-registry';
import { VirtualClock } from '../../../local/states/virtual-clock';

const key = (sk: string): { pk: string; sk: string } => ({ pk: 'CLUSTER#orders', sk });
const put = (sk: string, epoch: number, expiresAtMs?: number): Change => ({
  kind: 'put',
  key: key(sk),
  value: { epoch },
  when: { absentOrEquals: {} },
  ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
});

let folder: string;
let clock: VirtualClock;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rejoin-registry-'));
  clock = new VirtualClock();
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

test('finds its items again after its process was killed, also in the middle of a write', async () => {
  const before = new LocalRegistry(clock, folder);
  await before.write([put('META', 1), put('NODE#1', 1)]);
  await before.write([put('META', 2), { kind: 'remove', key: key('NODE#1'), when: { equals: {} } }]);
  appendFileSync(join(folder, 'writes.jsonl'), '{"atMs":1,"changes":[{"pk":"CLU');

  const after = new LocalRegistry(clock, folder);
  expect(after.all()).toEqual([{ ...key('META'), value: { epoch: 2 } }]);
  await after.write([put('META', 3)]);
  const again = new LocalRegistry(clock, folder);
  expect(await again.read(key('META'))).toEqual({ epoch: 3 });
  [before, after, again].forEach((registry) => {
    registry.close();
  });
});

test('drops what has expired, in memory and in the journal', async () => {
  const registry = new LocalRegistry(clock, folder);
  await registry.write([put('STEP#1', 1, clock.nowMs() + 30_000), put('STEP#2', 1, clock.nowMs() + 300_000)]);
  await clock.sleep(120_000);
  await registry.write([put('META', 1)]);
  expect((await registry.list('CLUSTER#orders', 'STEP#')).map(({ sk }) => sk)).toEqual(['STEP#2']);
  registry.close();
  const again = new LocalRegistry(clock, folder);
  expect(await again.read(key('STEP#1'))).toBeNull();
  again.close();
});

describe('faults', () => {
  test('throttle the next calls before they do anything', async () => {
    const registry = new LocalRegistry(clock, null);
    registry.faults.throttleNext(2);
    await expect(registry.write([put('META', 1)])).rejects.toMatchObject({ name: 'RegistryThrottled' });
    await expect(registry.read(key('META'))).rejects.toMatchObject({ name: 'RegistryThrottled' });
    expect(await registry.read(key('META'))).toBeNull();
  });

  test('fail every call while it is down', async () => {
    const registry = new LocalRegistry(clock, null);
    registry.faults.down = true;
    await expect(registry.list('CLUSTER#orders', '')).rejects.toMatchObject({ name: 'RegistryThrottled' });
    registry.faults.down = false;
    expect(await registry.list('CLUSTER#orders', '')).toEqual([]);
  });

  test('lose the answer of a write that happened', async () => {
    const registry = new LocalRegistry(clock, null);
    registry.faults.loseAnswers(1);
    await expect(registry.write([put('META', 1)])).rejects.toMatchObject({ name: 'RegistryThrottled' });
    expect(await registry.read(key('META'))).toEqual({ epoch: 1 });
  });

  test('make calls slow', async () => {
    const registry = new LocalRegistry(clock, null);
    registry.faults.latencyMs = 700;
    const beforeMs = clock.nowMs();
    await registry.read(key('META'));
    expect(clock.nowMs() - beforeMs).toBe(700);
  });
});
