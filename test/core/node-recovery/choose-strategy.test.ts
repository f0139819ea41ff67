import fc from 'fast-check';
import type { BackupItem } from '../../../core/cluster/items';
import { chooseStrategy, newestUsableBackup, type StrategyFacts } from '../../../core/node-recovery/choose-strategy';

const nowMs = Date.UTC(2026, 0, 20);
const hourMs = 3_600_000;
const backup = (id: string, ageHours: number, more: Partial<BackupItem> = {}): BackupItem => ({
  id,
  manifestKey: `orders/${id}/manifest.json`,
  state: 'verified',
  shardCount: 16,
  startedAtMs: nowMs - ageHours * hourMs,
  finishedAtMs: nowMs - (ageHours - 0.5) * hourMs,
  damage: null,
  ...more,
});
const facts: StrategyFacts = {
  layout: 'sharded',
  machineKind: 'ec2',
  shardCount: 16,
  backups: [],
  snapshot: null,
  logKeptFromMs: null,
  maxBackupAgeDays: 7,
  nowMs,
};

describe('a sharded node', () => {
  it('is restored from the newest usable backup, and says why newer ones are not', () => {
    const backups = [
      backup('b1', 100),
      backup('b2', 50, { shardCount: 8 }),
      backup('b3', 20, { state: 'damaged', damage: 'chunk 4 of shard_0001' }),
      backup('b4', 1, { state: 'running', finishedAtMs: null }),
    ];
    const chosen = chooseStrategy({ ...facts, backups });
    expect(chosen).toMatchObject({ kind: 'backup', backupId: 'b1' });
    expect(chosen.reason).toBe(
      'backup b1 is verified and 100.0 hours old: its chunks spare the other owners (backup b4 is not complete; backup b3 is damaged (chunk 4 of shard_0001); backup b2 has 8 shards, and the cluster has 16)',
    );
  });

  it('is restored from the other owners when every backup is too old', () => {
    const chosen = chooseStrategy({ ...facts, backups: [backup('b1', 7 * 24 + 1)] });
    expect(chosen).toMatchObject({ kind: 'survivor', backupId: null });
    expect(chosen.reason).toContain('backup b1 is 7.0 days old, and at most 7 are allowed');
  });

  it('does not use a volume snapshot, which holds other shards too', () => {
    const snapshot = { snapshotId: 'snap-1', takenAtMs: nowMs };
    expect(chooseStrategy({ ...facts, snapshot }).kind).toBe('survivor');
  });
});

describe('a replicated node', () => {
  it('takes a volume snapshot of the last day', () => {
    const snapshot = { snapshotId: 'snap-1', takenAtMs: nowMs - 24 * hourMs };
    expect(chooseStrategy({ ...facts, layout: 'replicated', snapshot })).toMatchObject({
      kind: 'volume snapshot',
      snapshotId: 'snap-1',
    });
  });

  it.each([
    ['older', { snapshotId: 'snap-1', takenAtMs: nowMs - 24 * hourMs - 1 }],
    ['no', null],
  ])('copies a standby when there is %s snapshot', (_what, snapshot) => {
    expect(chooseStrategy({ ...facts, layout: 'replicated', snapshot })).toMatchObject({ kind: 'survivor' });
  });
});

describe('a managed instance', () => {
  const snapshot = { snapshotId: 'rds:db-3', takenAtMs: nowMs - 30 * hourMs };
  const managed = { ...facts, machineKind: 'rds', snapshot } as const;

  it('is restored from its newest snapshot, from which the changes since an earlier backup lead on', () => {
    expect(chooseStrategy({ ...managed, backups: [backup('b1', 40)] })).toMatchObject({
      kind: 'rds snapshot',
      snapshotId: 'rds:db-3',
      backupId: 'b1',
    });
    expect(chooseStrategy(managed)).toMatchObject({ kind: 'rds snapshot', backupId: null });
  });

  it('is filled from a backup that is younger than its snapshot, for nothing is stored of what came between', () => {
    expect(chooseStrategy({ ...managed, backups: [backup('b1', 1)] })).toMatchObject({
      kind: 'backup',
      backupId: 'b1',
      reason: expect.stringContaining('rds:db-3 of the instance is older than backup b1') as string,
    });
  });

  it.each([
    ['none', null, 'has no snapshot'],
    ['only an old one', { snapshotId: 'rds:db-1', takenAtMs: nowMs - 8 * 24 * hourMs }, 'older than 7 days'],
  ])('goes the logical way with %s', (_what, old, words) => {
    expect(chooseStrategy({ ...managed, snapshot: old, backups: [backup('b1', 1)] })).toMatchObject({
      kind: 'backup',
      reason: expect.stringContaining(words) as string,
    });
    expect(chooseStrategy({ ...managed, snapshot: old })).toMatchObject({ kind: 'survivor' });
  });
});

test('whatever backups there are, the one that is used is whole, fits, is young enough, and is the newest such', () => {
  const item = fc.record({
    id: fc.uuid(),
    ageHours: fc.integer({ min: 0, max: 400 }),
    state: fc.constantFrom<BackupItem['state']>('running', 'complete', 'verified', 'damaged'),
    shardCount: fc.constantFrom(8, 16),
  });
  fc.assert(
    fc.property(fc.array(item, { maxLength: 8 }), (items) => {
      const backups = items.map(({ id, ageHours, state, shardCount }) =>
        backup(id, ageHours, { state, shardCount, ...(state === 'running' ? { finishedAtMs: null } : {}) }),
      );
      const usable = backups.filter(
        (each) =>
          (each.state === 'complete' || each.state === 'verified') &&
          each.shardCount === 16 &&
          nowMs - each.startedAtMs <= 7 * 24 * hourMs,
      );
      const newest = Math.max(...usable.map((each) => each.startedAtMs), Number.NEGATIVE_INFINITY);
      const chosen = newestUsableBackup({ ...facts, backups }).backup;
      expect(chosen === null).toBe(usable.length === 0);
      expect(chosen === null || (usable.includes(chosen) && chosen.startedAtMs === newest)).toBe(true);
    }),
  );
});
