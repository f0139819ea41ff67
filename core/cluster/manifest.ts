import * as z from 'zod';

/** A range of one table's rows by its key: `lowKey` (inclusive) to `highKey` (exclusive); null is open-ended. */
export const rowRangeSchema = z.strictObject({
  schema: z.string(),
  table: z.string(),
  /** The key's columns in order. */
  keyColumns: z.array(z.string()).min(1),
  /**
   * By what each of them is sorted where the bounds were cut: collation and its version, '' for values without one. Absent in
   * ranges of earlier versions, and where there are no bounds to sort.
   */
  keyOrders: z.array(z.string()).optional(),
  /** The bounds, one text value a key column; null is the table's begin or end. */
  lowKey: z.array(z.string()).nullable(),
  highKey: z.array(z.string()).nullable(),
});
export type RowRange = z.infer<typeof rowRangeSchema>;

/** One object of a backup: rows of one range in COPY text format, compressed. */
export const chunkSchema = z.strictObject({
  shard: z.string(),
  range: rowRangeSchema,
  /** `<cluster>/<backup>/chunks/<shard>/<schema>.<table>/<n>.copy.lz4`. */
  key: z.string(),
  /** The columns in the order of the COPY data; generated columns are absent. */
  columns: z.array(z.string()),
  rows: z.number().int(),
  /** Before compression. */
  rawBytes: z.number().int(),
  storedBytes: z.number().int(),
  /** Of the stored bytes. */
  sha256: z.string(),
});
export type Chunk = z.infer<typeof chunkSchema>;

/** One object of captured changes of one shard between two positions of one node's log. */
export const segmentSchema = z.strictObject({
  shard: z.string(),
  epoch: z.number().int(),
  /** `<cluster>/changes/<shard>/<epoch>/<from>-<to>.lz4`, the positions written with '_' for '/'. */
  key: z.string(),
  from: z.string(),
  to: z.string(),
  rows: z.number().int(),
  transactions: z.number().int(),
  rawBytes: z.number().int(),
  storedBytes: z.number().int(),
  sha256: z.string(),
});
export type Segment = z.infer<typeof segmentSchema>;

/** How one shard's tables are made again: statements in order, before and after the rows. */
export const schemaDescriptionSchema = z.strictObject({
  /** Schemas, types, sequences, functions, tables without keys. */
  beforeRows: z.array(z.string()),
  /** Primary keys and unique constraints: needed before changes are applied. */
  keys: z.array(z.string()),
  /** Other indexes, each independent of the others. */
  indexes: z.array(z.string()),
  /** Foreign keys, checks that were left out, triggers, sequence ownership, comments, grants. */
  afterRows: z.array(z.string()),
  tables: z.array(
    z.strictObject({
      schema: z.string(),
      table: z.string(),
      keyColumns: z.array(z.string()),
      /** Without generated columns. */
      columns: z.array(z.string()),
    }),
  ),
});
export type SchemaDescription = z.infer<typeof schemaDescriptionSchema>;

/** `<cluster>/<backup>/manifest.json`: what a backup holds. */
export const manifestSchema = z.strictObject({
  format: z.literal(1),
  cluster: z.string(),
  backup: z.string(),
  startedAtMs: z.number(),
  finishedAtMs: z.number(),
  shardCount: z.number().int(),
  shards: z.array(
    z.strictObject({
      shard: z.string(),
      epoch: z.number().int(),
      /** The node whose log positions `slot` and the segments use. */
      primary: z.string(),
      slot: z.string(),
      /** Where changes must be replayed from: the slot's start, before the first chunk was read. */
      changesFrom: z.string(),
      /** Key of this shard's SchemaDescription. */
      schemaKey: z.string(),
      /** Key of a JSON array of this shard's Chunks. */
      chunksKey: z.string(),
      chunks: z.number().int(),
      rows: z.number().int(),
    }),
  ),
});
export type Manifest = z.infer<typeof manifestSchema>;
