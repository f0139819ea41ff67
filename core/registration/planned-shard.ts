import * as z from 'zod';

/** A shard as it will be registered. */
export const plannedShardSchema = z.strictObject({
  id: z.string(),
  schemas: z.array(z.string()).min(1),
  epoch: z.int(),
  primary: z.string(),
  /** Null where every node holds all rows: layout replicated. */
  follower: z.string().nullable(),
  /** Whether it served before: its primary accepts writes, and its follower has the subscription. An undo leaves both. */
  served: z.boolean(),
});
export type PlannedShard = z.infer<typeof plannedShardSchema>;
