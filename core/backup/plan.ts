import * as z from 'zod';
import { rowRangeSchema } from '../cluster/manifest';

/** One chunk that a backup has to write. */
export const plannedChunkSchema = z.strictObject({
  shard: z.string(),
  /** Within the shard, from 0. */
  number: z.int().min(0),
  /** Where its object goes. */
  key: z.string(),
  range: rowRangeSchema,
  columns: z.array(z.string()),
  /** The node that its rows are read from. */
  readFrom: z.string(),
  /** Whether the verification loads it: one chunk a table. */
  tried: z.boolean(),
});
export type PlannedChunk = z.infer<typeof plannedChunkSchema>;

/** What a backup has to write of one shard, and since when its changes are captured. */
export const shardPlanSchema = z.strictObject({
  shard: z.string(),
  epoch: z.int(),
  primary: z.string(),
  slot: z.string(),
  changesFrom: z.string(),
  schemaKey: z.string(),
  chunks: z.array(plannedChunkSchema),
});
export type ShardPlan = z.infer<typeof shardPlanSchema>;
