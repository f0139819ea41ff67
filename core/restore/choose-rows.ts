import { BackupKeys } from '../backup/object-keys';
import type { Chunk, Manifest, RowRange, SchemaDescription } from '../cluster/manifest';
import { RejoinError } from '../errors';
import type { WorkItem } from './work-order';

/** Rows that all readers together take from the survivors in a second (rule 8), so that they go on serving. */
const survivorRowsPerSecond = 20_000;
/** Items that the map works on at once. */
export const loadConcurrency = 32;
/** A paced item takes no longer than this, which is well within its call. */
const longestPacedItemSeconds = 300;

type ManifestShard = Manifest['shards'][number];

/** A backup that does not hold what it says. @throws ManifestMismatch, naming what does not fit */
export function requireManifest(
  manifest: Manifest,
  wanted: { readonly cluster: string; readonly backup: string; readonly shardCount: number },
): void {
  const { cluster, backup, shardCount } = wanted;
  if (manifest.cluster !== cluster || manifest.backup !== backup) {
    throw mismatch(`${cluster}/${backup}`, `it is of backup '${manifest.backup}' of cluster '${manifest.cluster}'`);
  }
  if (manifest.shardCount !== shardCount) {
    throw mismatch(`${cluster}/${backup}`, `it has ${manifest.shardCount} shards, the cluster has ${shardCount}`);
  }
}

/** A shard's entry in a manifest. @throws ManifestMismatch when there is none */
export function manifestShard(manifest: Manifest, shard: string): ManifestShard {
  const found = manifest.shards.find((entry) => entry.shard === shard);
  if (found === undefined) {
    const named = manifest.shards.map((entry) => entry.shard).join(', ');
    throw mismatch(`${manifest.cluster}/${manifest.backup}`, `it has no ${shard} (it has ${named || 'none'})`);
  }
  return found;
}

/** @throws ManifestMismatch when a shard's list of chunks is not the one that the manifest speaks of */
export function requireChunkList(manifest: Manifest, entry: ManifestShard, chunks: readonly Chunk[]): void {
  const name = `${manifest.cluster}/${manifest.backup}`;
  const rows = chunks.reduce((sum, chunk) => sum + chunk.rows, 0);
  if (chunks.length !== entry.chunks || rows !== entry.rows) {
    throw mismatch(
      name,
      `'${entry.chunksKey}' lists ${chunks.length} chunks with ${rows} rows, the manifest ${entry.chunks} with ${entry.rows}`,
    );
  }
  const folder = new BackupKeys(manifest.cluster, manifest.backup).chunkFolder(entry.shard);
  const foreign = chunks.find((chunk) => chunk.shard !== entry.shard || !chunk.key.startsWith(folder));
  if (foreign !== undefined) {
    throw mismatch(
      name,
      `'${entry.chunksKey}' lists '${foreign.key}' of ${foreign.shard}, which is not ${entry.shard}'s`,
    );
  }
}

/** What differs between two descriptions' tables, in words; null when rows of the one fit into the other. */
export function tablesDiffer(then: SchemaDescription, now: SchemaDescription): string | null {
  const before = new Map(then.tables.map((table) => [`${table.schema}.${table.table}`, table]));
  const after = new Map(now.tables.map((table) => [`${table.schema}.${table.table}`, table]));
  const gone = [...before.keys()].find((name) => !after.has(name));
  const made = [...after.keys()].find((name) => !before.has(name));
  const changed = [...after].find(([name, table]) => {
    const earlier = before.get(name);
    return (
      earlier !== undefined && (!same(earlier.keyColumns, table.keyColumns) || !sameSet(earlier.columns, table.columns))
    );
  });
  if (gone !== undefined || made !== undefined) {
    return gone === undefined ? `table ${made ?? ''} was made since` : `table ${gone} is gone since`;
  }
  return changed === undefined ? null : `table ${changed[0]} has other columns since`;
}

/**
 * Why the rows that a snapshot has of a shard can't be gone on from, in words; null when they can. A structure that only
 * lacks what was added since is completed; what it has beyond it would stay.
 */
export function snapshotMisfit(onSnapshot: SchemaDescription, now: SchemaDescription): string | null {
  const difference = tablesDiffer(onSnapshot, now);
  if (difference !== null) {
    return difference;
  }
  const wanted = new Set(statementsOf(now));
  const beyond = statementsOf(onSnapshot).find((statement) => !wanted.has(statement));
  return beyond === undefined ? null : `this is no longer so: ${beyond.slice(0, 200)}`;
}

function statementsOf(schema: SchemaDescription): readonly string[] {
  return [...schema.beforeRows, ...schema.keys, ...schema.indexes, ...schema.afterRows];
}

/** What one item of the load needs to know beyond its rows. */
export interface ItemPlace {
  readonly execution: string;
  readonly attempt: number;
  readonly shard: string;
}

/**
 * The items for a shard whose rows are in a backup. A chunk whose object is missing or has another size is not even tried:
 * its range is read from the survivor.
 *
 * @param sizes of the objects that are there, by key
 */
export function itemsFromBackup(
  chunks: readonly Chunk[],
  sizes: ReadonlyMap<string, number>,
  place: ItemPlace,
): readonly Omit<WorkItem, 'number'>[] {
  return chunks.map((chunk, index) => {
    const size = sizes.get(chunk.key);
    const damage =
      size === chunk.storedBytes
        ? null
        : `object '${chunk.key}' ${size === undefined ? 'is missing' : `has ${size} bytes, written were ${chunk.storedBytes}`}`;
    return {
      loadId: loadId(place, index),
      shard: chunk.shard,
      range: chunk.range,
      columns: chunk.columns,
      chunk: damage === null ? chunk : null,
      damage,
      rowsPerSecond: null,
    };
  });
}

/** The items for a shard whose rows are read from the survivor. Their pace is set when all are known. */
export function itemsFromSurvivor(
  ranges: readonly { readonly range: RowRange; readonly columns: readonly string[] }[],
  place: ItemPlace,
): readonly Omit<WorkItem, 'number'>[] {
  return ranges.map(({ range, columns }, index) => ({
    loadId: loadId(place, index),
    shard: place.shard,
    range,
    columns: [...columns],
    chunk: null,
    damage: null,
    rowsPerSecond: null,
  }));
}

/** How many rows a range may have so that reading it at the survivors' pace ends within its call. */
export function survivorRowsPerChunk(rowsPerChunk: number): number {
  return Math.min(rowsPerChunk, (survivorRowsPerSecond / loadConcurrency) * longestPacedItemSeconds);
}

/**
 * Numbers the items and paces those that read from the survivor: so many read at once share what all together may read.
 * A range that replaces a damaged chunk is an exception among many, and is not paced.
 */
export function numbered(items: readonly Omit<WorkItem, 'number'>[]): readonly WorkItem[] {
  const readers = Math.min(loadConcurrency, items.filter(isPaced).length);
  return items.map((item, number) => ({
    ...item,
    number,
    rowsPerSecond: isPaced(item) ? Math.floor(survivorRowsPerSecond / readers) : null,
  }));
}

function isPaced(item: Omit<WorkItem, 'number'>): boolean {
  return item.chunk === null && item.damage === null;
}

/** An item that starts again has another id, so that its rows are loaded again. */
function loadId(place: ItemPlace, index: number): string {
  return `${place.execution}/${place.attempt}/${place.shard}/${index}`;
}

function mismatch(backup: string, what: string): RejoinError {
  return new RejoinError(
    'ManifestMismatch',
    `the manifest of backup '${backup}' does not match: ${what}; mark the backup as damaged and start again, so that another source is chosen`,
  );
}

function same(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((value, index) => value === right[index]);
}

function sameSet(left: readonly string[], right: readonly string[]): boolean {
  return same([...left].sort(), [...right].sort());
}
