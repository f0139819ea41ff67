import * as z from 'zod';
import { chunkSchema, rowRangeSchema } from '../cluster/manifest';

/** The replacement, as the workflow carries it. */
export const replacementSchema = z.strictObject({
  nodeId: z.string(),
  machineId: z.string(),
  machineKind: z.enum(['ec2', 'rds']),
  host: z.string(),
  port: z.int(),
});
export type Replacement = z.infer<typeof replacementSchema>;

/** How a node is restored, as it was decided, with its reason. */
export const strategySchema = z.strictObject({
  kind: z.enum(['backup', 'survivor', 'volume snapshot', 'rds snapshot']),
  reason: z.string(),
  backupId: z.string().nullable(),
  snapshotId: z.string().nullable(),
});
export type Strategy = z.infer<typeof strategySchema>;

/** Stored segments that lead on from a backup's rows. */
export const lineageSchema = z.strictObject({
  /** The slot that they came out of: positions belong to its node's log. */
  slot: z.string(),
  epoch: z.int(),
  primary: z.string(),
  changesFrom: z.string(),
});
export type Lineage = z.infer<typeof lineageSchema>;

/** One shard that is restored. */
export const workShardSchema = z.strictObject({
  shard: z.string(),
  schemas: z.array(z.string()),
  epoch: z.int(),
  /** The slot that keeps its changes, and that replication goes on from later. */
  slot: z.string(),
  /** The surviving owner: the source of everything that is not in storage. Null: there is none, and only a backup is left. */
  survivor: z.string().nullable(),
  /** False only where a rehearsal leaves the node filter out. */
  owned: z.boolean(),
  /** Key of the description by which its tables are made. */
  schemaKey: z.string(),
  rowsFrom: z.enum(['backup', 'survivor', 'snapshot']),
  reason: z.string(),
  lineage: lineageSchema.nullable(),
});
export type WorkShard = z.infer<typeof workShardSchema>;

/** `<cluster>/runs/<execution>/work.json`: what is restored on a replacement, and from where. */
export const workOrderSchema = z.strictObject({
  cluster: z.string(),
  execution: z.string(),
  /** Grows when shards have to start again. */
  attempt: z.int().min(1),
  shards: z.array(workShardSchema),
  chunks: z.int(),
});
export type WorkOrder = z.infer<typeof workOrderSchema>;

/** One item of the map that loads rows. */
export const workItemSchema = z.strictObject({
  /** Within the work order, from 0. */
  number: z.int().min(0),
  /** The same rows are loaded once. */
  loadId: z.string(),
  shard: z.string(),
  range: rowRangeSchema,
  columns: z.array(z.string()),
  /** Null: the rows come from the survivor. */
  chunk: chunkSchema.nullable(),
  /** Why a range that has a chunk is read from the survivor; null otherwise. */
  damage: z.string().nullable(),
  /** So fast may this item read from the survivor; null: as fast as it can. */
  rowsPerSecond: z.int().min(1).nullable(),
});
export type WorkItem = z.infer<typeof workItemSchema>;

/** A slot that keeps a shard's changes while it is restored, and that replication goes on from later. */
export const restoreSlotSchema = z.strictObject({
  shard: z.string(),
  slot: z.string(),
  /** The node that it is on. */
  primary: z.string(),
  /** Where its changes begin. */
  from: z.string(),
});
export type RestoreSlot = z.infer<typeof restoreSlotSchema>;
