import type { Chunk } from '../cluster/manifest';
import { RejoinError } from '../errors';
import { padded } from './object-keys';
import type { PlannedChunk } from './plan';

/**
 * What writing a chunk came to. It is kept in the name of an empty object, so that one listing of a folder gives the
 * figures of thousands of chunks, which neither a state nor a map's result could carry.
 */
export interface ChunkNote {
  readonly number: number;
  readonly rows: number;
  readonly rawBytes: number;
  readonly storedBytes: number;
  readonly sha256: string;
}

export function noteName(note: ChunkNote): string {
  return `${padded(note.number)}-${note.rows}-${note.rawBytes}-${note.storedBytes}-${note.sha256}`;
}

const pattern = /\/(\d{6,})-(\d+)-(\d+)-(\d+)-([0-9a-f]{64})$/;

/** The note in a key; null when it holds none. */
export function noteOf(key: string): ChunkNote | null {
  const match = pattern.exec(key);
  if (match === null) {
    return null;
  }
  const [, number, rows, rawBytes, storedBytes, sha256 = ''] = match;
  return {
    number: Number(number),
    rows: Number(rows),
    rawBytes: Number(rawBytes),
    storedBytes: Number(storedBytes),
    sha256,
  };
}

/**
 * The chunks of a shard as the manifest lists them: each that was planned, with the note of its writing.
 *
 * @throws ManifestMismatch when a chunk has no note, or has several
 */
export function chunksOf(planned: readonly PlannedChunk[], notes: readonly ChunkNote[]): readonly Chunk[] {
  const byNumber = new Map<number, ChunkNote[]>();
  for (const note of notes) {
    byNumber.set(note.number, [...(byNumber.get(note.number) ?? []), note]);
  }
  return planned.map((plan) => {
    const found = byNumber.get(plan.number) ?? [];
    const [note] = found;
    if (note === undefined || found.length > 1) {
      throw new RejoinError(
        'ManifestMismatch',
        `chunk ${plan.number} of ${plan.shard} ('${plan.key}') was noted as written ${found.length} times, expected once; make the backup again`,
      );
    }
    const { rows, rawBytes, storedBytes, sha256 } = note;
    const { shard, range, key, columns } = plan;
    return { shard, range, key, columns, rows, rawBytes, storedBytes, sha256 };
  });
}
