import * as z from 'zod';

/** What capturing one slot came to. */
export const capturedSchema = z.strictObject({
  shard: z.string(),
  slot: z.string(),
  /**
   * `captured`: all that its node had, or as much as there was time for. `lineage ended`: the shard has another primary, or
   * changes were lost; the slot is gone. `not captured`: its node could not be reached, or refused.
   */
  state: z.enum(['captured', 'lineage ended', 'not captured']),
  reason: z.string().nullable(),
  segments: z.int(),
  rows: z.int(),
  bytes: z.int(),
  /** The log that the slots of its node hold back after it; null where the node did not say. */
  retention: z
    .strictObject({ nodeId: z.string(), retainedBytes: z.number(), limitBytes: z.number().nullable() })
    .nullable(),
});
export type Captured = z.infer<typeof capturedSchema>;
