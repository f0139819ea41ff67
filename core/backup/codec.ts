/** How objects are compressed. Its name is the ending of their keys. */
export interface Codec {
  readonly name: string;
  compress(raw: Buffer): Promise<Buffer>;
  /** @throws ChunkDamaged when `stored` is not exactly `rawBytes` bytes, compressed */
  decompress(stored: Buffer, rawBytes: number): Promise<Buffer>;
}
