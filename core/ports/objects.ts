export interface StoredObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly writtenAtMs: number;
}

/** One bucket of object storage. An object appears whole or not at all. */
export interface Objects {
  /** The bucket's name, for the item reader of a distributed map. */
  readonly bucket: string;
  /** @throws NotFound when there is no such object */
  read(key: string): Promise<Buffer>;
  /** The object's size, or null when there is none. */
  head(key: string): Promise<StoredObject | null>;
  /** Writes the object; with `ifAbsent`, only where there is none. @throws ConditionFailed when there is one */
  write(
    key: string,
    body: Buffer,
    options?: { readonly ifAbsent?: boolean; readonly contentType?: string },
  ): Promise<void>;
  /** The objects whose key begins with `prefix`, in the order of their keys. */
  list(prefix: string): AsyncIterable<StoredObject>;
  /** Removes objects; absent ones are no error. */
  remove(keys: readonly string[]): Promise<void>;
}
