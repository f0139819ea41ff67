import { createHash } from 'node:crypto';
import { isRejoinError, messageOf, RejoinError } from '../errors';
import type { Codec } from './codec';

/** SHA-256 of the bytes as they are stored, in hexadecimal. */
export function sha256Of(stored: Buffer): string {
  return createHash('sha256').update(stored).digest('hex');
}

/** @throws ChunkDamaged, naming the object and both hashes */
export function requireHash(key: string, stored: Buffer, expected: string): void {
  const got = sha256Of(stored);
  if (got !== expected) {
    throw new RejoinError(
      'ChunkDamaged',
      `object '${key}' is damaged: its ${stored.length} bytes have SHA-256 ${got}, written were ${expected}`,
    );
  }
}

/** What a stored object holds. @throws ChunkDamaged, naming the object, when it is not as it was written */
export async function unpack(
  codec: Codec,
  object: { readonly key: string; readonly sha256: string; readonly rawBytes: number },
  stored: Buffer,
): Promise<Buffer> {
  requireHash(object.key, stored, object.sha256);
  try {
    return await codec.decompress(stored, object.rawBytes);
  } catch (thrown) {
    if (isRejoinError(thrown, 'ChunkDamaged')) {
      throw new RejoinError(
        'ChunkDamaged',
        `object '${object.key}' (SHA-256 ${object.sha256}, as written) is damaged: ${messageOf(thrown)}`,
        { cause: thrown },
      );
    }
    throw thrown;
  }
}
