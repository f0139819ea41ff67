import { randomUUID } from 'node:crypto';
import type { Dirent, Stats } from 'node:fs';
import { link, mkdir, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { RejoinError } from '../../core/errors';
import type { Objects, StoredObject } from '../../core/ports/objects';
import { nameFullDisk } from '../disk-space';
import { folderOfPrefix, keyOfPath, pathOfKey } from './key-path';

/** S3's bound on a key. */
const keyLimitBytes = 1024;
const bucketName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
/** Begins with a dot, as no bucket and no escaped key does. */
const draftsFolder = '.drafts';

/**
 * A bucket as a folder of files, which any number of processes read and write at once. An object appears whole or not at
 * all: it is written beside, forced to the disk, and then given its name; `ifAbsent` by link(2), which fails where the name
 * is taken. Content types are not kept: nothing reads them back.
 */
export class LocalObjects implements Objects {
  readonly bucket: string;
  private readonly folder: string;
  private readonly drafts: string;

  /**
   * @param root the folder of all buckets
   * @throws InvalidInput when S3 would not take the bucket's name
   */
  constructor(root: string, bucket: string) {
    if (!bucketName.test(bucket)) {
      throw new RejoinError(
        'InvalidInput',
        `'${bucket}' is not a bucket's name; use 3 to 63 of a-z, 0-9, '.' and '-', beginning and ending with a letter or digit`,
      );
    }
    this.bucket = bucket;
    this.folder = join(root, bucket);
    this.drafts = join(root, draftsFolder);
  }

  /** Where an object's file lies, for who wants to damage or look at it. */
  fileOf(key: string): string {
    const bytes = Buffer.byteLength(key);
    if (bytes === 0 || bytes > keyLimitBytes) {
      throw new RejoinError(
        'InvalidInput',
        `'${key.slice(0, 100)}' is not an object's key; use 1 to ${keyLimitBytes} bytes of UTF-8 (given: ${bytes})`,
      );
    }
    return join(this.folder, pathOfKey(key));
  }

  async read(key: string): Promise<Buffer> {
    try {
      return await readFile(this.fileOf(key));
    } catch (thrown) {
      throw codeOf(thrown) === 'ENOENT'
        ? new RejoinError('NotFound', `there is no object '${key}' in bucket '${this.bucket}'`, { cause: thrown })
        : thrown;
    }
  }

  async head(key: string): Promise<StoredObject | null> {
    const found = await orNull(stat(this.fileOf(key)));
    return found === null ? null : describe(key, found);
  }

  async write(
    key: string,
    body: Buffer,
    options: { readonly ifAbsent?: boolean; readonly contentType?: string } = {},
  ): Promise<void> {
    const file = this.fileOf(key);
    const draft = join(this.drafts, randomUUID());
    try {
      await inFolder(this.drafts, () => writeForced(draft, body));
      // Nobody but the owner of the run reads what is stored: backups hold the users' rows.
      await inFolder(dirname(file), () => (options.ifAbsent === true ? link(draft, file) : rename(draft, file)));
    } catch (thrown) {
      throw this.refusalOf(key, thrown);
    } finally {
      await unlink(draft).catch(ignoreAbsent);
    }
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    const keys: (readonly [Buffer, string])[] = [];
    for (const file of await filesUnder(join(this.folder, folderOfPrefix(prefix)))) {
      const key = keyOfPath(relative(this.folder, file).split(sep).join('/'));
      if (key.startsWith(prefix)) {
        keys.push([Buffer.from(key), key]);
      }
    }
    // The order of UTF-8 bytes, as S3 has it; that of UTF-16 units is another one.
    keys.sort(([left], [right]) => Buffer.compare(left, right));
    for (const [, key] of keys) {
      const found = await this.head(key);
      if (found !== null) {
        yield found;
      }
    }
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      await unlink(this.fileOf(key)).catch(ignoreAbsent);
    }
  }

  private refusalOf(key: string, thrown: unknown): unknown {
    if (codeOf(thrown) === 'EEXIST') {
      return new RejoinError('ConditionFailed', `there is already an object '${key}' in bucket '${this.bucket}'`, {
        cause: thrown,
      });
    }
    return nameFullDisk(thrown, `object '${key}' in ${this.folder}`);
  }
}

async function writeForced(file: string, body: Buffer): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(body);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

/** Makes the folder only when it turns out to be missing: mostly it is there. */
async function inFolder(folder: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    if (codeOf(thrown) !== 'ENOENT') {
      throw thrown;
    }
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await work();
  }
}

async function filesUnder(folder: string): Promise<string[]> {
  const files: string[] = [];
  const open = [folder];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const here = next;
    const entries: Dirent[] = (await orNull(readdir(here, { withFileTypes: true }))) ?? [];
    for (const entry of entries) {
      (entry.isDirectory() ? open : files).push(join(here, entry.name));
    }
  }
  return files;
}

function describe(key: string, found: Stats): StoredObject {
  return { key, sizeBytes: found.size, writtenAtMs: Math.round(found.mtimeMs) };
}

async function orNull<T>(work: Promise<T>): Promise<T | null> {
  return work.catch((thrown: unknown) => {
    ignoreAbsent(thrown);
    return null;
  });
}

/** An object that is gone, or a key under which there is a folder only. */
function ignoreAbsent(thrown: unknown): void {
  if (codeOf(thrown) !== 'ENOENT') {
    throw thrown;
  }
}

function codeOf(thrown: unknown): string | undefined {
  return (thrown as NodeJS.ErrnoException).code;
}
