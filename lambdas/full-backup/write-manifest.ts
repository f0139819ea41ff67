import * as z from 'zod';
import { backups, registry, stepPorts } from '../../adapters/ports';
import { chunksOf } from '../../core/backup/chunk-notes';
import { readJson, writeJson } from '../../core/backup/json-object';
import { BackupKeys } from '../../core/backup/object-keys';
import { shardPlanSchema } from '../../core/backup/plan';
import { readNotes } from '../../core/backup/read-notes';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { BackupItem } from '../../core/cluster/items';
import type { Manifest } from '../../core/cluster/manifest';
import { RejoinError } from '../../core/errors';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly backups: Objects;
}

const inputSchema = z.strictObject({ cluster: z.string(), backup: z.string() });

/**
 * Writes what the backup holds, the manifest last: until then there is no backup.
 *
 * @throws ManifestMismatch when a chunk was not written
 * @throws SlotLost when a shard was promoted meanwhile, for its rows then come from two lineages
 */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'write-manifest', input: inputSchema, effect: 'changes' }, async ({ cluster, backup }) => {
    const clusters = new ClusterRegistry(ports.registry);
    const item = await registered(clusters, cluster, backup);
    const keys = new BackupKeys(cluster, backup);
    const shards: Manifest['shards'] = [];
    for (const { id, primary } of await clusters.shards(cluster)) {
      const { chunks: planned, ...plan } = await readJson(ports.backups, keys.plan(id), shardPlanSchema);
      if (primary !== plan.primary) {
        throw new RejoinError(
          'SlotLost',
          `the backup can't be used: ${id} was promoted from node '${plan.primary}' to '${primary}' while its rows were read`,
        );
      }
      const chunks = chunksOf(planned, await readNotes(ports.backups, keys.noteFolder('written', id), planned));
      await writeJson(ports.backups, keys.chunkList(id), chunks);
      const rows = chunks.reduce((sum, chunk) => sum + chunk.rows, 0);
      shards.push({ ...plan, chunksKey: keys.chunkList(id), chunks: chunks.length, rows });
    }
    const manifest: Manifest = {
      format: 1,
      cluster,
      backup,
      startedAtMs: item.startedAtMs,
      finishedAtMs: ports.clock.nowMs(),
      shardCount: item.shardCount,
      shards,
    };
    await writeJson(ports.backups, keys.manifest, manifest);
    await complete(clusters, cluster, item, manifest.finishedAtMs);
    return {
      chunks: shards.reduce((sum, shard) => sum + shard.chunks, 0),
      rows: shards.reduce((sum, shard) => sum + shard.rows, 0),
    };
  });

async function registered(clusters: ClusterRegistry, cluster: string, backup: string): Promise<BackupItem> {
  const item = await clusters.backup(cluster, backup);
  if (item === null) {
    throw new RejoinError('NotFound', `cluster '${cluster}' has no backup '${backup}'; was it removed as abandoned?`);
  }
  return item;
}

async function complete(
  clusters: ClusterRegistry,
  cluster: string,
  before: BackupItem,
  finishedAtMs: number,
): Promise<void> {
  if (before.state === 'running') {
    const after: BackupItem = { ...before, state: 'complete', finishedAtMs };
    await clusters.replace(cluster, { kind: 'BACKUP', value: before }, { kind: 'BACKUP', value: after });
  }
}

export const handler = makeStep({ ...stepPorts(), registry: registry(), backups: backups() });
