import * as z from 'zod';
import { messageOf } from '../errors';
import type { Objects } from '../ports/objects';
import { readJson, writeJson } from './json-object';
import { padded } from './object-keys';

const noteSchema = z.strictObject({ error: z.string(), message: z.string() });
export type FailureNote = z.infer<typeof noteSchema>;

/**
 * Does one item's work; should it fail, leaves a note of why. A distributed map fails with nothing but the news that too
 * many of its items did.
 */
export async function notingFailure<T>(
  objects: Objects,
  folder: string,
  item: number,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown.name : 'Error';
    const note: FailureNote = { error, message: messageOf(thrown).slice(0, 4_000) };
    // The error itself matters more than that it could not be noted.
    await writeJson(objects, `${folder}${padded(item)}`, note).catch(() => undefined);
    throw thrown;
  }
}

/** The note that was left last, or null when there is none. */
export async function newestFailure(objects: Objects, folder: string): Promise<FailureNote | null> {
  let newest: { readonly key: string; readonly writtenAtMs: number } | null = null;
  for await (const object of objects.list(folder)) {
    newest = newest === null || object.writtenAtMs >= newest.writtenAtMs ? object : newest;
  }
  return newest === null ? null : readJson(objects, newest.key, noteSchema);
}
