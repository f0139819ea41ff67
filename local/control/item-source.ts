import { createHash } from 'node:crypto';
import { LocalObjects } from '../objects/local-objects';
import type { ItemSource, ListedObject } from '../states/world';

/** The objects of all buckets, as distributed maps read and write them. */
export class LocalItems implements ItemSource {
  /** @param root the folder of all buckets */
  constructor(private readonly root: string) {}

  async getObject(bucket: string, key: string): Promise<Buffer> {
    return new LocalObjects(this.root, bucket).read(key);
  }

  async listObjects(bucket: string, prefix: string): Promise<readonly ListedObject[]> {
    const objects = new LocalObjects(this.root, bucket);
    const listed: ListedObject[] = [];
    for await (const object of objects.list(prefix)) {
      // As S3 has it for an object that was put in one piece.
      const etag = `"${createHash('md5')
        .update(await objects.read(object.key))
        .digest('hex')}"`;
      listed.push({ ...object, etag });
    }
    return listed;
  }

  async putObject(bucket: string, key: string, body: Buffer): Promise<void> {
    await new LocalObjects(this.root, bucket).write(key, body);
  }
}
