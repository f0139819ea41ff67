import type { BackupItem, ClusterMeta, Shard } from '../cluster/items';
import { isFolderTaken } from './object-keys';

export type BackupDecision =
  | { readonly action: 'back up'; readonly reason: string; readonly abandoned: readonly string[] }
  | { readonly action: 'none'; readonly reason: string; readonly abandoned: readonly string[] }
  | { readonly action: 'refuse'; readonly reason: string; readonly abandoned: readonly string[] };

/**
 * Decides whether a full backup is made. A running one that nobody works on any more is abandoned, and what is left of it
 * is removed.
 *
 * @param alive the ids of backups whose execution is still running
 */
export function decideBackup(facts: {
  readonly backup: string;
  readonly meta: ClusterMeta;
  readonly shards: readonly Shard[];
  readonly backups: readonly BackupItem[];
  readonly alive: ReadonlySet<string>;
}): BackupDecision {
  const { backup, meta, shards, alive } = facts;
  const running = facts.backups.filter((item) => item.state === 'running' && item.id !== backup);
  const abandoned = running.filter((item) => !alive.has(item.id)).map((item) => item.id);
  const other = running.find((item) => alive.has(item.id));
  if (meta.layout === 'replicated') {
    const reason = `cluster '${meta.name}' is replicated: each node holds all rows, and volume snapshots are its backups`;
    return { action: 'none', reason, abandoned };
  }
  if (other !== undefined) {
    return {
      action: 'none',
      reason: `execution '${other.id}' is making a backup of cluster '${meta.name}'`,
      abandoned,
    };
  }
  if (shards.length === 0) {
    return { action: 'refuse', reason: `cluster '${meta.name}' has no shards in the registry`, abandoned };
  }
  if (isFolderTaken(backup)) {
    const reason = `'${backup}' can't be a backup's name; start the execution under another name`;
    return { action: 'refuse', reason, abandoned };
  }
  return { action: 'back up', reason: `${shards.length} shards of cluster '${meta.name}'`, abandoned };
}
