import * as z from 'zod';
import { backups, databases, registry, settings, stepPorts } from '../../adapters/ports';
import { readJson, writeJson } from '../../core/backup/json-object';
import { BackupKeys } from '../../core/backup/object-keys';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { Shard } from '../../core/cluster/items';
import {
  chunkSchema,
  manifestSchema,
  schemaDescriptionSchema,
  type Manifest,
  type SchemaDescription,
} from '../../core/cluster/manifest';
import { RejoinError } from '../../core/errors';
import { joinName } from '../../core/node-recovery/ownership';
import type { DatabaseAddress, DatabaseEngine } from '../../core/ports/database-engine';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { ablationsOf, type Ablation } from '../../core/restore/ablation';
import {
  itemsFromBackup,
  itemsFromSurvivor,
  manifestShard,
  numbered,
  requireChunkList,
  requireManifest,
  snapshotMisfit,
  survivorRowsPerChunk,
  tablesDiffer,
} from '../../core/restore/choose-rows';
import { RunKeys } from '../../core/restore/run-keys';
import {
  replacementSchema,
  strategySchema,
  type Lineage,
  type WorkItem,
  type WorkOrder,
  type WorkShard,
} from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly backups: Objects;
  readonly databases: Pick<DatabaseEngine, 'describe' | 'planRanges' | 'shards'>;
  readonly ablations: readonly Ablation[];
}

const inputSchema = z.strictObject({
  cluster: z.string(),
  execution: z.string(),
  strategy: strategySchema,
  replacement: replacementSchema,
  /** The shards that the failed node owned and another node has: the node filter. */
  shards: z.array(z.string()),
  /** Those that only the backup has. */
  lost: z.array(z.string()),
  /** 2 when these shards start again because their slot was lost. */
  attempt: z.int().min(1).max(2),
});
type Input = z.infer<typeof inputSchema>;

type ShardWork = Pick<WorkShard, 'rowsFrom' | 'reason' | 'lineage'> & {
  readonly items: readonly Omit<WorkItem, 'number'>[];
};

/**
 * Chooses, by the node filter, the rows that the replacement gets and where each comes from, and writes the work order and
 * the items of the map that loads them.
 *
 * @throws ManifestMismatch when the backup is not what its manifest says
 * @throws PreflightRefused when a table can't be restored by rows
 */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'choose-rows', input: inputSchema, effect: 'changes' }, async (input) => {
    const keys = new RunKeys(input.cluster, input.execution);
    const choice = await makeChoice(ports, input, keys);
    const shards: WorkShard[] = [];
    const items: Omit<WorkItem, 'number'>[] = [];
    for (const shard of choice.shards) {
      const { work, items: itsItems } = input.lost.includes(shard.id)
        ? await chooseLost(choice, shard)
        : await chooseShard(choice, shard);
      shards.push(work);
      items.push(...itsItems);
    }
    const order: WorkOrder = {
      cluster: input.cluster,
      execution: input.execution,
      attempt: input.attempt,
      shards,
      chunks: items.length,
    };
    await writeJson(ports.backups, keys.items, numbered(items));
    await writeJson(ports.backups, keys.work, order);
    return {
      workKey: keys.work,
      itemsKey: keys.items,
      bucket: ports.backups.bucket,
      chunks: items.length,
      shards: shards.map((shard) => shard.shard),
      ablated: [...ports.ablations],
    };
  });

/** What choosing one shard needs to know of all. */
interface Choice {
  readonly ports: Ports;
  readonly input: Input;
  readonly keys: RunKeys;
  readonly manifest: Manifest | null;
  readonly shards: readonly Shard[];
  readonly addressOf: (nodeId: string) => Promise<DatabaseAddress>;
  readonly target: DatabaseAddress;
}

async function makeChoice(ports: Ports, input: Input, keys: RunKeys): Promise<Choice> {
  const { cluster, strategy } = input;
  const clusters = new ClusterRegistry(ports.registry);
  const addresses = new AddressBook(clusters, ports.settings);
  const manifest = await readManifest(ports, input, (await clusters.meta(cluster)).shardCount);
  const all = await clusters.shards(cluster);
  const wanted = ports.ablations.includes('node-filter') && strategy.kind === 'backup' && input.attempt === 1;
  const shards = wanted ? all : all.filter(({ id }) => input.shards.includes(id) || input.lost.includes(id));
  const missing = [...input.shards, ...input.lost].find((id) => !all.some((shard) => shard.id === id));
  if (missing !== undefined) {
    throw new RejoinError('NotFound', `cluster '${cluster}' has no shard '${missing}'`);
  }
  const target = await addresses.at(cluster, input.replacement);
  return { ports, input, keys, manifest, shards, target, addressOf: (nodeId) => addresses.of(cluster, nodeId) };
}

async function readManifest(ports: Ports, input: Input, shardCount: number): Promise<Manifest | null> {
  const { cluster, strategy } = input;
  if (strategy.backupId === null) {
    return null;
  }
  const key = new BackupKeys(cluster, strategy.backupId).manifest;
  const manifest = await readJson(ports.backups, key, manifestSchema);
  requireManifest(manifest, { cluster, backup: strategy.backupId, shardCount });
  return manifest;
}

async function chooseShard(
  choice: Choice,
  shard: Shard,
): Promise<{ readonly work: WorkShard; readonly items: readonly Omit<WorkItem, 'number'>[] }> {
  const { ports, input, keys } = choice;
  const survivor = await choice.addressOf(shard.primary);
  // Tables are made as they are now: the survivor's changes fit no others.
  const schema = await ports.databases.describe(survivor, shard.schemas);
  await writeJson(ports.backups, keys.schema(shard.id), schema);
  const { items, ...chosen } = await workOf(choice, shard, schema, survivor);
  const work: WorkShard = {
    shard: shard.id,
    schemas: shard.schemas,
    epoch: shard.epoch,
    slot: joinName(shard),
    survivor: shard.primary,
    owned: input.shards.includes(shard.id),
    schemaKey: keys.schema(shard.id),
    ...chosen,
  };
  return { work, items };
}

/** Nobody else has it: its tables are made as they were, and nothing stands in for what is missing or damaged. */
async function chooseLost(
  choice: Choice,
  shard: Shard,
): Promise<{ readonly work: WorkShard; readonly items: readonly Omit<WorkItem, 'number'>[] }> {
  const { ports, input, keys, manifest } = choice;
  if (manifest === null) {
    throw new RejoinError(
      'ManifestMismatch',
      `${shard.id} has no living owner, and the strategy '${input.strategy.kind}' names no backup to restore it from`,
    );
  }
  const entry = manifestShard(manifest, shard.id);
  const schema = await readJson(ports.backups, entry.schemaKey, schemaDescriptionSchema);
  await writeJson(ports.backups, keys.schema(shard.id), schema);
  const items = await backupItems(choice, manifest, entry);
  const damaged = items.find((item) => item.damage !== null);
  if (damaged !== undefined) {
    throw new RejoinError(
      'ChunkDamaged',
      `${damaged.damage ?? ''}, and ${shard.id} has no living owner to read it from`,
    );
  }
  const work: WorkShard = {
    shard: shard.id,
    schemas: shard.schemas,
    epoch: shard.epoch,
    slot: joinName(shard),
    survivor: null,
    owned: true,
    schemaKey: keys.schema(shard.id),
    rowsFrom: 'backup',
    reason: `no owner of ${shard.id} lives`,
    lineage: lineageOf(entry),
  };
  return { work, items };
}

function lineageOf({ slot, epoch, primary, changesFrom }: Manifest['shards'][number]): Lineage {
  return { slot, epoch, primary, changesFrom };
}

async function workOf(
  choice: Choice,
  shard: Shard,
  schema: SchemaDescription,
  survivor: DatabaseAddress,
): Promise<ShardWork> {
  const { manifest, input } = choice;
  const stored = manifest === null ? null : await storedChanges(choice, manifest, shard.id, schema);
  const misfit = input.strategy.kind === 'rds snapshot' ? await misfitOfSnapshot(choice, shard, schema) : null;
  if (input.strategy.kind === 'rds snapshot' && misfit === null) {
    return { rowsFrom: 'snapshot', reason: input.strategy.reason, lineage: stored?.lineage ?? null, items: [] };
  }
  const reason = misfit ?? input.strategy.reason;
  if (manifest === null || stored === null) {
    return readSurvivor(choice, shard, survivor, reason);
  }
  if (stored.difference !== null) {
    const against = `backup '${manifest.backup}' does not fit: ${stored.difference}`;
    return readSurvivor(choice, shard, survivor, misfit === null ? against : `${misfit}; ${against}`);
  }
  return {
    rowsFrom: 'backup',
    reason,
    lineage: stored.lineage,
    items: await backupItems(choice, manifest, stored.entry),
  };
}

/** What a backup has of a shard: its changes lead on only where its tables are still the same. */
async function storedChanges(choice: Choice, manifest: Manifest, shard: string, schema: SchemaDescription) {
  const entry = manifestShard(manifest, shard);
  const then = await readJson(choice.ports.backups, entry.schemaKey, schemaDescriptionSchema);
  const difference = tablesDiffer(then, schema);
  return { entry, difference, lineage: difference === null ? lineageOf(entry) : null };
}

/** Whether the instance that was restored from a snapshot has the shard's rows in tables as they are now. */
async function misfitOfSnapshot(
  { ports, target, input }: Choice,
  shard: Shard,
  schema: SchemaDescription,
): Promise<string | null> {
  const name = `snapshot '${input.strategy.snapshotId ?? ''}'`;
  if (!(await ports.databases.shards(target)).some((held) => held.shard === shard.id)) {
    return `${name} has no ${shard.id}`;
  }
  const misfit = snapshotMisfit(await ports.databases.describe(target, shard.schemas), schema);
  return misfit === null ? null : `${name} does not fit: ${misfit}`;
}

async function backupItems(
  choice: Choice,
  manifest: Manifest,
  entry: Manifest['shards'][number],
): Promise<ShardWork['items']> {
  const { ports, input } = choice;
  const chunks = await readJson(ports.backups, entry.chunksKey, z.array(chunkSchema));
  requireChunkList(manifest, entry, chunks);
  const sizes = new Map<string, number>();
  const folder = new BackupKeys(manifest.cluster, manifest.backup).chunkFolder(entry.shard);
  for await (const { key, sizeBytes } of ports.backups.list(folder)) {
    sizes.set(key, sizeBytes);
  }
  return itemsFromBackup(chunks, sizes, { ...input, shard: entry.shard });
}

async function readSurvivor(
  choice: Choice,
  shard: Shard,
  survivor: DatabaseAddress,
  reason: string,
): Promise<ShardWork> {
  const { backup } = await choice.ports.settings.cluster(choice.input.cluster);
  const ranges = await choice.ports.databases.planRanges(survivor, {
    schemas: shard.schemas,
    rowsPerChunk: survivorRowsPerChunk(backup.rowsPerChunk),
    bytesPerChunk: backup.bytesPerChunk,
  });
  const items = itemsFromSurvivor(ranges, { ...choice.input, shard: shard.id });
  return { rowsFrom: 'survivor', reason, lineage: null, items };
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  backups: backups(),
  databases: databases(),
  ablations: ablationsOf(process.env['REJOIN_ABLATE']),
});
