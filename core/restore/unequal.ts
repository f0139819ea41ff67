import * as z from 'zod';
import { rowRangeSchema } from '../cluster/manifest';

/** The ranges by which a shard is compared, in the order in which that is done. */
export const comparedRangesSchema = z.array(rowRangeSchema);

/** A range whose rows were found unequal, and which. */
export const unequalRangeSchema = z.strictObject({
  range: rowRangeSchema,
  keys: z.array(z.array(z.string())),
  /** How many of the keys are not proved different either. */
  unproved: z.int(),
});
export type UnequalRange = z.infer<typeof unequalRangeSchema>;

/** A comparison of a shard as far as it got. */
export const comparisonSchema = z.strictObject({
  shard: z.string(),
  /** The range to go on with; null: all are compared. */
  next: z.int().nullable(),
  /** Rows compared, each counted once. */
  rows: z.int(),
  /** Ranges that are unequal, rows in them that differ, and those among them that are not proved. */
  unequal: z.int(),
  differing: z.int(),
  unproved: z.int(),
});
export type Comparison = z.infer<typeof comparisonSchema>;
