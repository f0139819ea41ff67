import { open, stat } from 'node:fs/promises';
import { dumpHeadBytes, whyNotPlainDump } from '../../../core/dump/format';
import { isRejoinError, messageOf, RejoinError } from '../../../core/errors';

const tailBytes = 4_096;

/**
 * Checks that a file is a whole, plain dump of one database.
 *
 * @returns its size in bytes
 * @throws InvalidInput with one sentence that says what it is instead and what to do
 */
export async function checkDumpFile(file: string): Promise<number> {
  const sizeBytes = await sizeOf(file);
  const handle = await open(file, 'r');
  try {
    const head = Buffer.alloc(Math.min(dumpHeadBytes, sizeBytes));
    await handle.read(head, 0, head.length, 0);
    const reason = whyNotPlainDump(head);
    if (reason !== null) {
      throw refusedFile(file, reason);
    }
    const tail = Buffer.alloc(Math.min(tailBytes, sizeBytes));
    await handle.read(tail, 0, tail.length, sizeBytes - tail.length);
    // pg_dump writes this line last, so a dump that begins as its dumps do and lacks it was cut off.
    if (head.includes('-- PostgreSQL database dump') && !tail.includes('-- PostgreSQL database dump complete')) {
      throw refusedFile(
        file,
        "is incomplete: it lacks pg_dump's last line 'PostgreSQL database dump complete'; make it again",
      );
    }
    return sizeBytes;
  } finally {
    await handle.close();
  }
}

async function sizeOf(file: string): Promise<number> {
  try {
    const found = await stat(file);
    if (found.isDirectory()) {
      throw refusedFile(
        file,
        'is a directory, perhaps a dump in directory format; make a plain one with pg_dump --format=plain',
      );
    }
    if (!found.isFile()) {
      throw refusedFile(file, 'is no regular file, and a dump is read several times; save it in one');
    }
    return found.size;
  } catch (thrown) {
    if (isRejoinError(thrown)) {
      throw thrown;
    }
    throw new RejoinError('InvalidInput', `the file '${file}' can't be read: ${messageOf(thrown)}`, { cause: thrown });
  }
}

export function refusedFile(file: string, reason: string): RejoinError {
  return new RejoinError('InvalidInput', `the file '${file}' ${reason}`);
}
