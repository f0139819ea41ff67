import type { BackupItem, SlotItem } from '../cluster/items';
import type { Manifest } from '../cluster/manifest';
import type { LogPosition } from '../cluster/position';
import { comparePositions } from '../cluster/position';

const dayMs = 24 * 3_600_000;

/** A backup that has ended, and why it goes or stays. */
export interface RetentionDecision {
  readonly remove: readonly BackupItem[];
  readonly keep: readonly BackupItem[];
  readonly reason: string;
}

/**
 * Decides which backups are removed: those that ended more than `keepDays` ago, but never the newest that was verified.
 * Running ones are left alone.
 */
export function decideRetention(
  backups: readonly BackupItem[],
  policy: { readonly keepDays: number; readonly nowMs: number },
): RetentionDecision {
  const oldestMs = policy.nowMs - policy.keepDays * dayMs;
  const newest = newestUsable(backups);
  const isOld = (backup: BackupItem): boolean =>
    backup.state !== 'running' && backup.id !== newest?.id && (backup.finishedAtMs ?? backup.startedAtMs) < oldestMs;
  const remove = backups.filter(isOld);
  const keep = backups.filter((backup) => !isOld(backup));
  const named = remove.map((backup) => backup.id).join(', ');
  return {
    remove,
    keep,
    reason:
      remove.length === 0
        ? `no backup ended more than ${policy.keepDays} days ago, the newest verified one aside`
        : `${named} ended more than ${policy.keepDays} days ago`,
  };
}

/** The verified backup that began last, or null. */
export function newestUsable(backups: readonly BackupItem[]): BackupItem | null {
  return backups
    .filter((backup) => backup.state === 'verified')
    .reduce<BackupItem | null>(
      (newest, backup) => (newest === null || backup.startedAtMs > newest.startedAtMs ? backup : newest),
      null,
    );
}

/** From where on the segments of each lineage (`<shard>/<epoch>`) are needed; a lineage that is absent has none. */
export function neededSegments(
  manifests: readonly Manifest[],
  slots: readonly SlotItem[],
): ReadonlyMap<string, LogPosition> {
  const needed = new Map<string, LogPosition>();
  const need = (lineage: string, from: LogPosition): void => {
    const earlier = needed.get(lineage);
    if (earlier === undefined || comparePositions(from, earlier) < 0) {
      needed.set(lineage, from);
    }
  };
  for (const shard of manifests.flatMap((manifest) => manifest.shards)) {
    need(`${shard.shard}/${shard.epoch}`, shard.changesFrom);
  }
  for (const slot of slots) {
    need(`${slot.shard}/${slot.epoch}`, slot.openedAt);
  }
  return needed;
}
