import { captureMetrics } from '../../../core/backup/capture-metrics';
import type { Captured } from '../../../core/backup/captured';
import type { BackupItem } from '../../../core/cluster/items';

const none: Captured = {
  shard: 'shard_0000',
  slot: 'c1',
  state: 'captured',
  reason: null,
  segments: 0,
  rows: 0,
  bytes: 0,
  retention: null,
};

function holding(nodeId: string, retainedBytes: number, limitBytes: number | null): Captured {
  return { ...none, retention: { nodeId, retainedBytes, limitBytes } };
}

function backup(id: string, state: BackupItem['state'], startedAtMs: number): BackupItem {
  return { id, state, startedAtMs, manifestKey: id, shardCount: 1, finishedAtMs: null, damage: null };
}

const lines = (captured: readonly Captured[], backups: readonly BackupItem[] = [], nowMs = 0): readonly string[] =>
  captureMetrics('orders', captured, backups, nowMs).map(
    ({ name, value, unit, dimensions }) => `${name} ${value} ${unit} ${Object.values(dimensions).join('/')}`,
  );

test('the most that was seen of a node is said, and its share of the limit, under the name of its line', () => {
  const captured = [holding('node-3-r2', 600, 1_000), holding('node-3-r2', 200, 1_000), holding('node-1', 5, 1_000)];
  expect(lines(captured)).toEqual([
    'SlotRetained 5 Bytes orders/node-1',
    'SlotRetainedPercent 0.5 Percent orders/node-1',
    'SlotRetained 600 Bytes orders/node-3',
    'SlotRetainedPercent 60 Percent orders/node-3',
  ]);
});

test('a server without a limit has no share, and one that said nothing has no figure', () => {
  expect(lines([holding('node-1', 5, null), none])).toEqual(['SlotRetained 5 Bytes orders/node-1']);
});

test('the age is that of the newest verified backup, and unknown while there is none', () => {
  const backups = [backup('b1', 'verified', 1_000), backup('b2', 'damaged', 8_000), backup('b3', 'running', 9_000)];
  expect(lines([], backups, 61_000)).toEqual(['BackupAge 60 Seconds orders']);
  expect(lines([], backups.slice(1), 61_000)).toEqual([]);
});
