import fc from 'fast-check';
import type { BackupItem, Shard, SlotItem } from '../../../core/cluster/items';
import { followName, shardAfterPromotion, shardAfterRestore } from '../../../core/node-recovery/ownership';
import { lossOf, shardsWithoutSurvivor, type LossFacts } from '../../../core/node-recovery/shard-loss';

const atMs = (seconds: number): number => 1_000_000 + seconds * 1_000;
const shard: Shard = {
  id: 'shard_0007',
  schemas: ['shard_0007'],
  epoch: 3,
  primary: 'node-3',
  follower: 'node-4',
  version: 4,
  state: 'in sync',
  fence: null,
};
const backup: BackupItem = {
  id: 'b1',
  manifestKey: 'orders/b1/manifest.json',
  state: 'verified',
  shardCount: 16,
  startedAtMs: atMs(0),
  finishedAtMs: atMs(30),
  damage: null,
};
const slot: SlotItem = {
  name: 'b1_s0007',
  shard: shard.id,
  epoch: 3,
  nodeId: 'node-3',
  openedAt: '0/100',
  capturedTo: '0/900',
  capturedAtMs: atMs(100),
};
const sign = (by: string, seconds: number) => ({
  by,
  about: 'node-1',
  verdict: 'alive' as const,
  detail: '',
  atMs: atMs(seconds),
});
const facts: LossFacts = {
  shard,
  nodeId: 'node-3',
  backup,
  manifest: {
    format: 1,
    cluster: 'orders',
    backup: 'b1',
    startedAtMs: atMs(0),
    finishedAtMs: atMs(30),
    shardCount: 16,
    shards: [
      {
        shard: shard.id,
        epoch: 3,
        primary: 'node-3',
        slot: slot.name,
        changesFrom: '0/100',
        schemaKey: '',
        chunksKey: '',
        chunks: 1,
        rows: 1,
      },
    ],
  },
  slots: [slot],
  opinions: [sign('node-3', 120), sign('node-4', 122), sign('node-1', 900)],
  changesEveryMinutes: 1,
  nowMs: atMs(1_000),
};
const secondsOf = (given: Partial<LossFacts>): number | string => {
  const loss = lossOf({ ...facts, ...given });
  return typeof loss === 'string' ? loss : loss.lossSeconds;
};

describe('what a backup loses of a shard', () => {
  it('is an interval between captures, and names the position where they end', () => {
    expect(lossOf(facts)).toMatchObject({ lossSeconds: 61, capturedTo: '0/900', logOf: 'node-3', otherPrimary: null });
  });

  it('is more where its owners lived for longer without a capture, however long ago that was', () => {
    expect(secondsOf({ opinions: [sign('node-4', 400)] })).toBe(305);
    expect(secondsOf({ opinions: [sign('node-4', 400)], nowMs: atMs(90_000) })).toBe(305);
  });

  it('is reckoned to now where no sign of its owners is left', () => {
    expect(secondsOf({ opinions: [sign('node-1', 900)] })).toBe(900);
  });

  it.each([
    ['its changes were never captured to the end', { slots: [{ ...slot, capturedAtMs: undefined }] }],
    ['its lineage has ended', { slots: [] }],
    ['they end before the backup does', { slots: [{ ...slot, capturedAtMs: atMs(29) }] }],
    ['the backup lacks it', { manifest: { ...facts.manifest, shards: [] } }],
  ])('is not known where %s', (_what, given) => {
    const slots = ('slots' in given ? given.slots : [slot]) as readonly SlotItem[];
    expect(secondsOf({ ...given, slots })).toMatch(/shard_0007/);
  });

  it('tells of a primary besides the node that is replaced', () => {
    expect(lossOf({ ...facts, nodeId: 'node-4' })).toMatchObject({ otherPrimary: 'node-3' });
  });

  it('never is less than the time from the last capture to the last sign of life', () => {
    const seconds = fc.integer({ min: 31, max: 5_000 });
    fc.assert(
      fc.property(seconds, seconds, (captured, lived) => {
        const given = { slots: [{ ...slot, capturedAtMs: atMs(captured) }], opinions: [sign('node-3', lived)] };
        expect(secondsOf({ ...given, nowMs: atMs(9_000) })).toBeGreaterThanOrEqual(Math.max(61, lived - captured));
      }),
    );
  });
});

test('a shard has a survivor while its other owner answers and is in sync', () => {
  const lost = (given: Partial<Shard>, silent: readonly string[]) =>
    shardsWithoutSurvivor([{ ...shard, ...given }], 'node-3', silent).length;
  expect([lost({}, ['node-3']), lost({}, ['node-3', 'node-4']), lost({ state: 'restoring' }, ['node-3'])]).toEqual([
    0, 1, 1,
  ]);
  expect(lost({ primary: 'node-1', follower: 'node-2' }, ['node-1', 'node-2'])).toBe(0);
});

describe('a shard that was restored from a backup', () => {
  const fence = { kind: 'machine' as const, api: 'machine i-3 is stopped', probes: [], atMs: 5 };

  it('belongs to the replacement alone, at a later epoch, and its other owner has the free place', () => {
    const restored = shardAfterRestore(shard, 'node-3-r1', fence);
    expect(restored).toMatchObject({
      epoch: 4,
      primary: 'node-3-r1',
      follower: null,
      state: 'single copy',
      lostOwner: 'node-4',
      fence,
    });
    expect(followName(restored)).toBe('s0007e4');
  });

  it('has a place free for the node that took it over before it died itself', () => {
    const promoted = shardAfterPromotion(shard, 'node-4', { kind: 'follower', api: '', probes: [] }, 1);
    expect(shardAfterRestore(promoted, 'node-3-r1', fence).lostOwner).toBe('node-4');
  });
});
