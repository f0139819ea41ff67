import type { BackupItem } from '../cluster/items';
import { baseId } from '../node-recovery/replacement';
import type { MetricValue } from '../ports/surroundings';
import type { Captured } from './captured';
import { newestUsable } from './retention';

/**
 * What each capture says of its cluster, in one call a capture. A node keeps the name of its line: the alarm was made for
 * whoever was there first.
 *
 * `SlotRetained` (bytes) and, where the server has a limit, `SlotRetainedPercent` of `max_slot_wal_keep_size`, by `Cluster`
 * and `Node`; `BackupAge` (seconds since the newest verified backup began) by `Cluster`, absent while there is none.
 */
export function captureMetrics(
  cluster: string,
  captured: readonly Captured[],
  backups: readonly BackupItem[],
  nowMs: number,
): readonly MetricValue[] {
  const byNode = new Map<string, MetricValue[]>();
  const seen = captured.flatMap(({ retention }) => retention ?? []);
  // The largest last, so that it is the one that stays.
  for (const { nodeId, retainedBytes, limitBytes } of [...seen].sort((a, b) => a.retainedBytes - b.retainedBytes)) {
    const dimensions = { Cluster: cluster, Node: baseId(nodeId) };
    const percent = limitBytes === null || limitBytes === 0 ? null : (100 * retainedBytes) / limitBytes;
    byNode.set(nodeId, [
      { name: 'SlotRetained', unit: 'Bytes', value: retainedBytes, dimensions },
      ...(percent === null
        ? []
        : [{ name: 'SlotRetainedPercent', unit: 'Percent' as const, value: percent, dimensions }]),
    ]);
  }
  const newest = newestUsable(backups);
  const age: MetricValue[] =
    newest === null
      ? []
      : [
          {
            name: 'BackupAge',
            unit: 'Seconds',
            value: Math.max(0, nowMs - newest.startedAtMs) / 1_000,
            dimensions: { Cluster: cluster },
          },
        ];
  return [...[...byNode.values()].flat(), ...age];
}
