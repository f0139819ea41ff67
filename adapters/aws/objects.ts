import {
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { RejoinError } from '../../core/errors';
import type { Objects, StoredObject } from '../../core/ports/objects';
import { apiError, ask, askIfThere, attemptsOf, codeOf, type Meanings } from './api-error';

/** S3's bounds on a key and on one call that deletes. */
const keyLimitBytes = 1_024;
const removeLimit = 1_000;

/** How often a conditional write is tried that met another one of the same key. */
const conflictTries = 3;

/** HEAD has no body, so S3 can't say more than 404. */
const missing: Meanings = { NoSuchKey: 'NotFound', NotFound: 'NotFound' };

/** One S3 bucket. The bucket encrypts what is written by its own default. */
export class S3Objects implements Objects {
  constructor(
    private readonly client: S3Client,
    readonly bucket: string,
  ) {}

  async read(key: string): Promise<Buffer> {
    checkKey(key);
    return ask(`read object '${key}' of bucket '${this.bucket}'`, this.download(key), missing);
  }

  async head(key: string): Promise<StoredObject | null> {
    checkKey(key);
    const found = await askIfThere(
      `look at object '${key}' of bucket '${this.bucket}'`,
      this.client.send(new HeadObjectCommand({ Bucket: this.bucket, Key: key })),
      missing,
    );
    return found === null ? null : stored(key, found.ContentLength, found.LastModified);
  }

  async write(
    key: string,
    body: Buffer,
    options: { readonly ifAbsent?: boolean; readonly contentType?: string } = {},
  ): Promise<void> {
    checkKey(key);
    const asked = `write object '${key}' of bucket '${this.bucket}'`;
    const put = new PutObjectCommand({
      Bucket: this.bucket,
      Key: key,
      Body: body,
      ...(options.ifAbsent === true ? { IfNoneMatch: '*' } : {}),
      ...(options.contentType === undefined ? {} : { ContentType: options.contentType }),
    });
    for (let tries = 1; ; tries += 1) {
      try {
        await this.client.send(put);
        return;
      } catch (thrown) {
        const code = codeOf(thrown);
        // Another write of this key is under way, and S3 says to try again.
        if (code === 'ConditionalRequestConflict' && tries < conflictTries) {
          continue;
        }
        if (code === 'PreconditionFailed' && (await this.wroteBefore(key, body, tries, thrown))) {
          return;
        }
        throw apiError(asked, thrown, {
          PreconditionFailed: 'ConditionFailed',
          ConditionalRequestConflict: 'ApiThrottled',
        });
      }
    }
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    let token: string | undefined;
    do {
      const page = await ask(
        `list objects '${prefix}*' of bucket '${this.bucket}'`,
        this.client.send(
          new ListObjectsV2Command({
            Bucket: this.bucket,
            Prefix: prefix,
            // A key may have characters that XML can't hold.
            EncodingType: 'url',
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
        ),
      );
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        yield stored(decodeURIComponent((Key ?? '').replaceAll('+', ' ')), Size, LastModified);
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (let begin = 0; begin < keys.length; begin += removeLimit) {
      const batch = keys.slice(begin, begin + removeLimit);
      const asked = `remove ${batch.length} objects of bucket '${this.bucket}' from '${batch[0] ?? ''}' on`;
      const { Errors } = await ask(
        asked,
        this.client.send(
          new DeleteObjectsCommand({
            Bucket: this.bucket,
            Delete: { Quiet: true, Objects: batch.map((key) => ({ Key: key })) },
          }),
        ),
      );
      const failed = Errors?.[0];
      if (failed !== undefined) {
        const passes = failed.Code === 'SlowDown' || failed.Code === 'InternalError';
        throw new RejoinError(
          passes ? 'ApiThrottled' : 'ApiRefused',
          `can't ${asked}: '${failed.Key ?? ''}': ${failed.Code ?? 'no code'}: ${failed.Message ?? 'no message'}`,
        );
      }
    }
  }

  private async download(key: string): Promise<Buffer> {
    const { Body } = await this.client.send(new GetObjectCommand({ Bucket: this.bucket, Key: key }));
    return Body === undefined ? Buffer.alloc(0) : Buffer.from(await Body.transformToByteArray());
  }

  /** Whether the object that is in the way is this write's own, put by an earlier try whose answer was lost. */
  private async wroteBefore(key: string, body: Buffer, tries: number, thrown: unknown): Promise<boolean> {
    if (tries === 1 && attemptsOf(thrown) === 1) {
      return false;
    }
    const found = await this.head(key);
    return found?.sizeBytes === body.length && (await this.read(key)).equals(body);
  }
}

function stored(key: string, sizeBytes: number | undefined, writtenAt: Date | undefined): StoredObject {
  if (sizeBytes === undefined || writtenAt === undefined) {
    throw new RejoinError('ApiRefused', `S3 told neither size nor time of object '${key}'`);
  }
  return { key, sizeBytes, writtenAtMs: writtenAt.getTime() };
}

/** @throws InvalidInput */
function checkKey(key: string): void {
  const bytes = Buffer.byteLength(key);
  if (bytes === 0 || bytes > keyLimitBytes) {
    throw new RejoinError('InvalidInput', `an object's key has 1 to ${keyLimitBytes} bytes (given: ${bytes})`);
  }
}
