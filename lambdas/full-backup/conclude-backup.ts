import * as z from 'zod';
import { backups, events, notifications, registry, stepPorts } from '../../adapters/ports';
import { readJson } from '../../core/backup/json-object';
import { BackupKeys, lineageFolder } from '../../core/backup/object-keys';
import { requireChain } from '../../core/backup/segment-chain';
import { listSpans } from '../../core/backup/segment-list';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { BackupItem } from '../../core/cluster/items';
import { chunkSchema, manifestSchema, type Manifest } from '../../core/cluster/manifest';
import { isRejoinError, messageOf, RejoinError } from '../../core/errors';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Events, Notifications } from '../../core/ports/surroundings';
import { requireChunkList, requireManifest } from '../../core/restore/choose-rows';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly backups: Objects;
  readonly events: Events;
  readonly notifications: Notifications;
}

const inputSchema = z.strictObject({ cluster: z.string(), backup: z.string() });

const damageSchema = z.strictObject({ reason: z.string() });
/** Named one by one; of more, their number. */
const namedDamages = 5;

/**
 * Judges a backup by what its verification found. A damaged one is told to people at once; should this step run twice, they
 * are told twice.
 */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'conclude-backup', input: inputSchema, effect: 'changes' }, async ({ cluster, backup }) => {
    const clusters = new ClusterRegistry(ports.registry);
    const before = await clusters.backup(cluster, backup);
    if (before === null) {
      throw new RejoinError('NotFound', `cluster '${cluster}' has no backup '${backup}'`);
    }
    const damages = await findDamages(ports, before, cluster);
    const damage = damages.length === 0 ? null : inWords(damages);
    const after: BackupItem = { ...before, state: damage === null ? 'verified' : 'damaged', damage };
    await clusters.replace(cluster, { kind: 'BACKUP', value: before }, { kind: 'BACKUP', value: after });
    if (damage !== null) {
      await ports.events.publish({ type: 'BackupDamaged', cluster, detail: { backup, damage } });
      await ports.notifications.publish({
        subject: `Backup ${backup} of ${cluster} is damaged`.slice(0, 100),
        body: `The verification of backup '${backup}' of cluster '${cluster}' failed: ${damage}.\nIt will not be restored from. The one before it stays in use.`,
      });
    }
    return { state: after.state, reason: damage ?? 'every hash was read back, and one chunk of each table was loaded' };
  });

async function findDamages(ports: Ports, item: BackupItem, cluster: string): Promise<readonly string[]> {
  const keys = new BackupKeys(cluster, item.id);
  const damages: string[] = [];
  try {
    const manifest = await readJson(ports.backups, keys.manifest, manifestSchema);
    requireManifest(manifest, { cluster, backup: item.id, shardCount: item.shardCount });
    for (const entry of manifest.shards) {
      requireChunkList(manifest, entry, await readJson(ports.backups, entry.chunksKey, z.array(chunkSchema)));
      await requireSegments(ports, cluster, entry);
      for await (const { key } of ports.backups.list(keys.noteFolder('damaged', entry.shard))) {
        damages.push((await readJson(ports.backups, key, damageSchema)).reason);
      }
    }
  } catch (thrown) {
    if (!isRejoinError(thrown, 'ManifestMismatch') && !isRejoinError(thrown, 'NotFound')) {
      throw thrown;
    }
    damages.push(messageOf(thrown));
  }
  return damages;
}

/** What was captured since the backup began leads on from it. @throws ManifestMismatch naming the gap */
async function requireSegments(ports: Ports, cluster: string, entry: Manifest['shards'][number]): Promise<void> {
  const slot = await new ClusterRegistry(ports.registry).slot(cluster, entry.slot);
  if (slot !== null) {
    const spans = await listSpans(ports.backups, lineageFolder(cluster, entry));
    requireChain(spans, entry.changesFrom, slot.capturedTo, `${entry.shard} out of slot '${entry.slot}'`);
  }
}

function inWords(damages: readonly string[]): string {
  const named = damages.slice(0, namedDamages).join('; ');
  return damages.length > namedDamages ? `${named}; and ${damages.length - namedDamages} more` : named;
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  backups: backups(),
  events: events(),
  notifications: notifications(),
});
