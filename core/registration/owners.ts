import * as z from 'zod';
import { shardId } from '../cluster/names';
import { nameSchema } from '../cluster/settings';

const ownersSchema = z.strictObject({
  primary: nameSchema,
  follower: nameSchema,
  /** The schemas whose tables are the shard; the one of its name where it is left out. */
  schemas: z.array(z.string().min(1)).min(1).exactOptional(),
});
export type Owners = z.infer<typeof ownersSchema>;

/**
 * Who owns each shard. `databases`: whoever holds its rows. `rule`: primaries go round, and each node's followers are
 * spread over all others. Or each shard by its id.
 */
const ownersInputSchema = z.union(
  [z.literal('databases'), z.literal('rule'), z.record(z.string().regex(/^shard_\d{4}$/), ownersSchema)],
  {
    error:
      'use \'databases\', \'rule\', or the owners of each shard: {"shard_0000": {"primary": "node-1", "follower": "node-2"}}',
  },
);
export type OwnersInput = z.infer<typeof ownersInputSchema>;

/** The input of an execution. */
export const registrationInputSchema = z.strictObject({
  cluster: nameSchema,
  owners: ownersInputSchema.default('databases'),
});

/** The owners that a shard has by the rule, as places in the list of nodes. */
export function ownersByRule(shard: number, nodes: number): { readonly primary: number; readonly follower: number } {
  const primary = shard % nodes;
  return { primary, follower: (primary + 1 + (Math.floor(shard / nodes) % (nodes - 1))) % nodes };
}

/** What the input says of each shard; null: the databases say it. */
export function namedOwners(
  owners: OwnersInput,
  cluster: { readonly shardCount: number; readonly nodeIds: readonly string[] },
): ReadonlyMap<string, Owners> | null {
  if (owners === 'databases') {
    return null;
  }
  if (owners !== 'rule') {
    return new Map(Object.entries(owners));
  }
  const { shardCount, nodeIds } = cluster;
  return new Map(
    Array.from({ length: shardCount }, (_, number) => {
      const { primary, follower } = ownersByRule(number, nodeIds.length);
      return [shardId(number), { primary: nodeIds[primary] ?? '', follower: nodeIds[follower] ?? '' }] as const;
    }),
  );
}

/** The ids of all shards of a cluster. */
export function shardIds(shardCount: number): readonly string[] {
  return Array.from({ length: shardCount }, (_, number) => shardId(number));
}
