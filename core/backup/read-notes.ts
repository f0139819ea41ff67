import type { Objects } from '../ports/objects';
import { noteOf, type ChunkNote } from './chunk-notes';
import { sha256Of } from './stored-object';
import type { PlannedChunk } from './plan';

/**
 * The notes of a shard's chunks, one a chunk. Where two calls wrote a chunk, the note that counts is the one that fits the
 * object.
 */
export async function readNotes(
  objects: Objects,
  folder: string,
  planned: readonly PlannedChunk[],
): Promise<readonly ChunkNote[]> {
  const byNumber = new Map<number, ChunkNote[]>();
  for await (const { key } of objects.list(folder)) {
    const note = noteOf(key);
    if (note !== null) {
      byNumber.set(note.number, [...(byNumber.get(note.number) ?? []), note]);
    }
  }
  const notes: ChunkNote[] = [];
  for (const [number, found] of byNumber) {
    const key = planned.find((chunk) => chunk.number === number)?.key;
    if (found.length > 1 && key !== undefined) {
      const sha256 = sha256Of(await objects.read(key));
      notes.push(...found.filter((note) => note.sha256 === sha256));
    } else {
      notes.push(...found);
    }
  }
  return notes;
}
