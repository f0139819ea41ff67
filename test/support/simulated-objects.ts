import { RejoinError } from '../../core/errors';
import type { Clock } from '../../core/ports/clock';
import type { Objects, StoredObject } from '../../core/ports/objects';

const longestKeyBytes = 1_024;

/** A bucket of a simulated world. Passes test/contract/objects.ts. */
export class SimulatedObjects implements Objects {
  private readonly stored = new Map<string, { readonly body: Buffer; readonly writtenAtMs: number }>();

  constructor(
    readonly bucket: string,
    private readonly clock: Clock,
  ) {}

  async read(key: string): Promise<Buffer> {
    const found = this.stored.get(key);
    if (found === undefined) {
      throw new RejoinError('NotFound', `bucket '${this.bucket}' has no object '${key}'`);
    }
    return Buffer.from(found.body);
  }

  async head(key: string): Promise<StoredObject | null> {
    const found = this.stored.get(key);
    return found === undefined ? null : { key, sizeBytes: found.body.length, writtenAtMs: found.writtenAtMs };
  }

  async write(key: string, body: Buffer, options: { readonly ifAbsent?: boolean } = {}): Promise<void> {
    const bytes = Buffer.byteLength(key);
    if (bytes < 1 || bytes > longestKeyBytes) {
      throw new RejoinError('InvalidInput', `an object's key has 1 to ${longestKeyBytes} bytes, got ${bytes}`);
    }
    if (options.ifAbsent === true && this.stored.has(key)) {
      throw new RejoinError('ConditionFailed', `bucket '${this.bucket}' has an object '${key}' already`);
    }
    this.stored.set(key, { body: Buffer.from(body), writtenAtMs: this.clock.nowMs() });
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    const keys = [...this.stored.keys()].filter((key) => key.startsWith(prefix));
    for (const key of keys.sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)))) {
      const found = await this.head(key);
      if (found !== null) {
        yield found;
      }
    }
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      this.stored.delete(key);
    }
  }
}
