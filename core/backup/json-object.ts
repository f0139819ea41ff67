import type * as z from 'zod';
import { messageOf, RejoinError } from '../errors';
import type { Objects } from '../ports/objects';

/** Reads an object of ours. @throws NotFound; ManifestMismatch when it is not what this version writes */
export async function readJson<T>(objects: Pick<Objects, 'read'>, key: string, schema: z.ZodType<T>): Promise<T> {
  const body = await objects.read(key);
  try {
    return schema.parse(JSON.parse(body.toString('utf8')));
  } catch (thrown) {
    throw new RejoinError(
      'ManifestMismatch',
      `object '${key}' is not as this version writes it: ${messageOf(thrown).slice(0, 500)}`,
      { cause: thrown },
    );
  }
}

/** Writes an object whole, in place of one that may be there. */
export async function writeJson(objects: Objects, key: string, value: unknown): Promise<void> {
  await objects.write(key, Buffer.from(JSON.stringify(value)), { contentType: 'application/json' });
}
