import type { LogPosition } from '../cluster/position';
import { positionBytes } from '../cluster/position';

/** The folders of a cluster that are not backups. */
const otherFolders = ['changes', 'runs'];

/** Whether a backup of this id would lie where something else does. */
export function isFolderTaken(backup: string): boolean {
  return otherFolders.includes(backup) || backup.includes('/');
}

/** Where the objects of one backup lie. */
export class BackupKeys {
  constructor(
    private readonly cluster: string,
    private readonly backup: string,
  ) {}

  /** Everything that the backup consists of. */
  get folder(): string {
    return `${this.cluster}/${this.backup}/`;
  }

  get manifest(): string {
    return `${this.folder}manifest.json`;
  }

  /** All chunks that are to be written, as the items of a distributed map. */
  get items(): string {
    return `${this.folder}plan/items.json`;
  }

  plan(shard: string): string {
    return `${this.folder}plan/shards/${shard}.json`;
  }

  schema(shard: string): string {
    return `${this.folder}schema/${shard}.json`;
  }

  /** The list of a shard's chunks. */
  chunkList(shard: string): string {
    return `${this.folder}chunks/${shard}.json`;
  }

  chunkFolder(shard: string): string {
    return `${this.folder}chunks/${shard}/`;
  }

  chunk(
    shard: string,
    table: { readonly schema: string; readonly table: string },
    number: number,
    codec: string,
  ): string {
    // A table's name may hold anything, a slash included.
    const name = encodeURIComponent(`${table.schema}.${table.table}`);
    return `${this.chunkFolder(shard)}${name}/${padded(number)}.copy.${codec}`;
  }

  /** Notes about a shard's chunks, one an object; what they say is in their keys. */
  noteFolder(kind: 'written' | 'damaged', shard: string): string {
    return `${this.folder}notes/${kind}/${shard}/`;
  }

  /** Notes of why chunks could not be written or read back. */
  get failures(): string {
    return `${this.folder}notes/failed/`;
  }

  /** What the keys of one chunk's notes of its writing begin with. */
  notesOf(chunk: { readonly shard: string; readonly number: number }): string {
    return `${this.noteFolder('written', chunk.shard)}${padded(chunk.number)}-`;
  }
}

/** The change segments of all lineages. */
export function changesFolder(cluster: string): string {
  return `${cluster}/changes/`;
}

/** What executions keep for themselves. */
export function runsFolder(cluster: string): string {
  return `${cluster}/runs/`;
}

/** Where a lineage's change segments lie: those of one shard while it has one epoch, and so one primary's log. */
export function lineageFolder(cluster: string, lineage: { readonly shard: string; readonly epoch: number }): string {
  return `${changesFolder(cluster)}${lineage.shard}/${lineage.epoch}/`;
}

/** Everything that an execution keeps in object storage for itself. */
export function runFolder(cluster: string, execution: string): string {
  return `${runsFolder(cluster)}${execution}/`;
}

export function segmentKey(
  cluster: string,
  lineage: { readonly shard: string; readonly epoch: number },
  span: { readonly from: LogPosition; readonly to: LogPosition },
  codec: string,
): string {
  return `${lineageFolder(cluster, lineage)}${inKey(span.from)}-${inKey(span.to)}.${codec}`;
}

/** Padded, so that keys are listed in the order of the log: `00000016_B374D848`. */
function inKey(position: LogPosition): string {
  const digits = positionBytes(position).toString(16).toUpperCase().padStart(16, '0');
  return `${digits.slice(0, 8)}_${digits.slice(8)}`;
}

/** A chunk's number in keys: their order is the order of the numbers. */
export function padded(number: number): string {
  return String(number).padStart(6, '0');
}
