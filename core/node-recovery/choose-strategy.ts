import type { BackupItem, ClusterMeta, NodeItem } from '../cluster/items';
import type { Strategy } from '../restore/work-order';

export interface Snapshot {
  readonly snapshotId: string;
  readonly takenAtMs: number;
}

export interface StrategyFacts {
  readonly layout: ClusterMeta['layout'];
  readonly machineKind: NodeItem['machineKind'];
  readonly shardCount: number;
  readonly backups: readonly BackupItem[];
  /** The newest volume snapshot, or the newest snapshot of the managed instance. */
  readonly snapshot: Snapshot | null;
  /** Replicated: since when the log is kept with which a snapshot is caught up; null: since ever. */
  readonly logKeptFromMs: number | null;
  readonly maxBackupAgeDays: number;
  readonly nowMs: number;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const maxVolumeSnapshotAgeMs = dayMs;

/** Chooses what a replacement's rows are restored from (rule 8). */
export function chooseStrategy(facts: StrategyFacts): Strategy {
  if (facts.machineKind === 'rds') {
    return fromManagedSnapshot(facts);
  }
  return facts.layout === 'replicated' ? fromVolume(facts) : fromRows(facts);
}

/** The newest backup that may be restored from, or null; and why each newer one may not. */
export function newestUsableBackup(
  facts: Pick<StrategyFacts, 'backups' | 'shardCount' | 'maxBackupAgeDays' | 'nowMs'>,
): { readonly backup: BackupItem | null; readonly passedOver: readonly string[] } {
  const passedOver: string[] = [];
  const newestFirst = [...facts.backups].sort((left, right) => right.startedAtMs - left.startedAtMs);
  for (const backup of newestFirst) {
    const against = reasonAgainst(backup, facts);
    if (against === null) {
      return { backup, passedOver };
    }
    passedOver.push(`backup ${backup.id} ${against}`);
  }
  return { backup: null, passedOver };
}

function reasonAgainst(
  backup: BackupItem,
  facts: Pick<StrategyFacts, 'shardCount' | 'maxBackupAgeDays' | 'nowMs'>,
): string | null {
  if (backup.state === 'running' || backup.finishedAtMs === null) {
    return 'is not complete';
  }
  if (backup.state === 'damaged') {
    return `is damaged (${backup.damage ?? 'no detail was recorded'})`;
  }
  if (backup.shardCount !== facts.shardCount) {
    return `has ${backup.shardCount} shards, and the cluster has ${facts.shardCount}`;
  }
  const ageDays = (facts.nowMs - backup.startedAtMs) / dayMs;
  return ageDays > facts.maxBackupAgeDays
    ? `is ${ageDays.toFixed(1)} days old, and at most ${facts.maxBackupAgeDays} are allowed`
    : null;
}

function fromRows(facts: StrategyFacts): Strategy {
  const { backup, passedOver } = newestUsableBackup(facts);
  const instead = passedOver.length === 0 ? '' : ` (${passedOver.join('; ')})`;
  if (backup === null) {
    const why = passedOver.length === 0 ? 'there is no backup' : `no backup is usable${instead}`;
    return {
      kind: 'survivor',
      reason: `${why}: rows are read from their other owners`,
      backupId: null,
      snapshotId: null,
    };
  }
  const age = `${((facts.nowMs - backup.startedAtMs) / hourMs).toFixed(1)} hours old`;
  return {
    kind: 'backup',
    reason: `backup ${backup.id} is ${backup.state} and ${age}: its chunks spare the other owners${instead}`,
    backupId: backup.id,
    snapshotId: null,
  };
}

function fromVolume({ snapshot, logKeptFromMs, nowMs }: StrategyFacts): Strategy {
  const logIsGone = snapshot !== null && snapshot.takenAtMs < (logKeptFromMs ?? 0);
  if (snapshot !== null && !logIsGone && nowMs - snapshot.takenAtMs <= maxVolumeSnapshotAgeMs) {
    const age = `${((nowMs - snapshot.takenAtMs) / hourMs).toFixed(1)} hours old`;
    return {
      kind: 'volume snapshot',
      reason: `the node held all rows, and volume snapshot ${snapshot.snapshotId} is ${age}`,
      backupId: null,
      snapshotId: snapshot.snapshotId,
    };
  }
  const why =
    snapshot === null
      ? 'there is no volume snapshot'
      : `volume snapshot ${snapshot.snapshotId} is older than ${logIsGone ? 'the log that is still kept' : 'a day'}`;
  return { kind: 'survivor', reason: `${why}: a standby is copied`, backupId: null, snapshotId: null };
}

/**
 * The newest snapshot, with the backup whose stored changes lead on from it. Where changes are stored only from a later
 * moment on, the rows of that backup are nearer to the present than the snapshot.
 */
function fromManagedSnapshot(facts: StrategyFacts): Strategy {
  const { snapshot, nowMs, maxBackupAgeDays } = facts;
  const { backup } = newestUsableBackup(facts);
  const against =
    snapshot === null
      ? 'the instance has no snapshot'
      : nowMs - snapshot.takenAtMs > maxBackupAgeDays * dayMs
        ? `snapshot ${snapshot.snapshotId} of the instance is older than ${maxBackupAgeDays} days`
        : backup !== null && backup.startedAtMs > snapshot.takenAtMs
          ? `snapshot ${snapshot.snapshotId} of the instance is older than backup ${backup.id}, since which changes are stored`
          : null;
  if (snapshot === null || against !== null) {
    const rows = fromRows(facts);
    return { ...rows, reason: `${against ?? ''}, so an empty instance is filled: ${rows.reason}` };
  }
  const age = `${((nowMs - snapshot.takenAtMs) / hourMs).toFixed(1)} hours old`;
  const on =
    backup === null
      ? 'no usable backup has the changes since then: rows are compared'
      : `the changes stored since backup ${backup.id} lead on from it`;
  return {
    kind: 'rds snapshot',
    reason: `snapshot ${snapshot.snapshotId} of the instance is ${age}; ${on}`,
    backupId: backup?.id ?? null,
    snapshotId: snapshot.snapshotId,
  };
}
