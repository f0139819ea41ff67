import { createHash } from 'node:crypto';
import { RejoinError } from '../errors';

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
