import * as z from 'zod';
import { backups, registry, settings, stepPorts } from '../../adapters/ports';
import { readJson } from '../../core/backup/json-object';
import { BackupKeys, changesFolder, runFolder, runsFolder } from '../../core/backup/object-keys';
import { removeBackupItem, removeFolder, removeObjects } from '../../core/backup/remove-backup';
import { decideRetention, neededSegments } from '../../core/backup/retention';
import { spanOf } from '../../core/backup/segment-chain';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { BackupItem } from '../../core/cluster/items';
import { manifestSchema, type Manifest } from '../../core/cluster/manifest';
import { comparePositions, type LogPosition } from '../../core/cluster/position';
import { isRejoinError } from '../../core/errors';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly backups: Objects;
}

const inputSchema = z.strictObject({ cluster: z.string() });

const dayMs = 24 * 3_600_000;
const keysAtOnce = 500;

/**
 * Removes backups that are older than the cluster keeps them, segments that no kept backup needs, and what old executions
 * kept for themselves. Never the newest verified backup. Safe to repeat and to interrupt: a backup's item goes last.
 */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'remove-old', input: inputSchema, effect: 'changes' }, async ({ cluster }) => {
    const clusters = new ClusterRegistry(ports.registry);
    const { keepDays } = (await ports.settings.cluster(cluster)).backup;
    const nowMs = ports.clock.nowMs();
    const decision = decideRetention(await clusters.backups(cluster), { keepDays, nowMs });
    for (const { id } of decision.remove) {
      await removeObjects(ports.backups, cluster, id);
      await removeBackupItem(clusters, cluster, id);
    }
    const manifests = await manifestsOf(ports.backups, cluster, decision.keep);
    // A backup without a readable manifest may need anything: then no segment goes.
    const segments =
      manifests === null
        ? 0
        : await removeSegments(ports.backups, cluster, neededSegments(manifests, await clusters.slots(cluster)));
    const runs = await removeRuns(ports.backups, cluster, nowMs - keepDays * dayMs);
    return { removed: decision.remove.map((backup) => backup.id), reason: decision.reason, segments, runs };
  });

async function manifestsOf(
  objects: Objects,
  cluster: string,
  kept: readonly BackupItem[],
): Promise<readonly Manifest[] | null> {
  const manifests: Manifest[] = [];
  for (const { id, state } of kept) {
    // A running backup has slots, and those say what it needs; a damaged one is never restored from.
    if (state === 'running' || state === 'damaged') {
      continue;
    }
    try {
      manifests.push(await readJson(objects, new BackupKeys(cluster, id).manifest, manifestSchema));
    } catch (thrown) {
      if (isRejoinError(thrown, 'NotFound') || isRejoinError(thrown, 'ManifestMismatch')) {
        return null;
      }
      throw thrown;
    }
  }
  return manifests;
}

async function removeSegments(
  objects: Objects,
  cluster: string,
  needed: ReadonlyMap<string, LogPosition>,
): Promise<number> {
  const changes = changesFolder(cluster);
  let gone: string[] = [];
  let count = 0;
  for await (const { key } of objects.list(changes)) {
    const span = spanOf(key);
    const from = needed.get(key.slice(changes.length, key.lastIndexOf('/')));
    if (span !== null && (from === undefined || comparePositions(span.to, from) <= 0)) {
      gone.push(key);
      count += 1;
    }
    if (gone.length >= keysAtOnce) {
      await objects.remove(gone);
      gone = [];
    }
  }
  await objects.remove(gone);
  return count;
}

/** A restore keeps work orders and notes; once they are old, only its evidence matters. */
async function removeRuns(objects: Objects, cluster: string, beforeMs: number): Promise<number> {
  const all = runsFolder(cluster);
  const newestMs = new Map<string, number>();
  for await (const { key, writtenAtMs } of objects.list(all)) {
    const [execution = ''] = key.slice(all.length).split('/');
    newestMs.set(execution, Math.max(writtenAtMs, newestMs.get(execution) ?? 0));
  }
  const old = [...newestMs].filter(([, atMs]) => atMs < beforeMs);
  for (const [execution] of old) {
    await removeFolder(objects, runFolder(cluster, execution));
  }
  return old.length;
}

export const handler = makeStep({ ...stepPorts(), registry: registry(), settings: settings(), backups: backups() });
