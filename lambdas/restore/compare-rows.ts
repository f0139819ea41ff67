import * as z from 'zod';
import { backups, databases, registry, settings, stepPorts } from '../../adapters/ports';
import { readJson, writeJson } from '../../core/backup/json-object';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { RowRange } from '../../core/cluster/manifest';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { catchUp, type CatchUpDatabases, type ShardRoute } from '../../core/restore/catch-up';
import type { ComparePorts, JudgedRange } from '../../core/restore/compare-range';
import { compareRanges } from '../../core/restore/compare-ranges';
import { routeOf } from '../../core/restore/route';
import { RunKeys, type ComparisonPlace } from '../../core/restore/run-keys';
import {
  comparedRangesSchema,
  comparisonSchema,
  unequalRangeSchema,
  type Comparison,
  type UnequalRange,
} from '../../core/restore/unequal';
import { replacementSchema, restoreSlotSchema } from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly backups: Objects;
  readonly databases: CatchUpDatabases & ComparePorts['databases'] & Pick<DatabaseEngine, 'planRanges'>;
}

const inputSchema = z.strictObject({
  cluster: z.string(),
  execution: z.string(),
  replacement: replacementSchema,
  slot: restoreSlotSchema,
  /** Grows when shards start again: the answers of an earlier attempt are none for this one. */
  attempt: z.int().min(1),
  /** From 1. Later rounds compare what the round before found unequal. */
  round: z.int().min(1),
  /** What earlier calls of this round came to; null in the first. */
  soFar: comparisonSchema.nullable(),
});
type Input = z.infer<typeof inputSchema>;

/** Left for the range that was begun: reading it on both sides, and up to six looks at its rows. */
const reserveMs = 180_000;

/**
 * Compares one shard's rows on its primary and on the replacement, range by range, and lists the rows that are unequal.
 * Goes on from where the call before it stopped.
 *
 * @throws SlotLost
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'compare-rows', input: inputSchema, effect: 'changes' },
    async (input, context): Promise<Comparison> => {
      const clusters = new ClusterRegistry(ports.registry);
      const addresses = new AddressBook(clusters, ports.settings);
      const route = await routeOf({ clusters, addresses, settings: ports.settings }, input);
      const ranges = await rangesOf(ports, clusters, route, input);
      return compareRanges(
        {
          databases: ports.databases,
          clock: ports.clock,
          letFollow: async (to, mayGoOn) => (await catchUp(ports.databases, route, to, mayGoOn)).reached,
        },
        {
          sides: route,
          ranges,
          soFar: input.soFar,
          mayGoOn: () => context.remainingMs() > reserveMs,
          note: (first, batch) => note(ports.backups, { ...input, shard: route.shard }, first, batch),
        },
      );
    },
  );

/** Lists unequal rows where the repair finds them. @param first the number of the batch's first range */
async function note(
  objects: Objects,
  place: Pick<Input, 'cluster' | 'execution'> & ComparisonPlace,
  first: number,
  batch: readonly JudgedRange[],
): Promise<void> {
  const keys = new RunKeys(place.cluster, place.execution);
  for (const [index, judged] of batch.entries()) {
    if (judged.unequal.length > 0) {
      const unequal: UnequalRange = {
        range: judged.range,
        keys: judged.unequal.map((key) => [...key]),
        unproved: judged.unproved,
      };
      await writeJson(objects, keys.unequalRange(place, first + index), unequal);
    }
  }
}

/** Cut anew from what the primary has now: since the backup, a range may have grown without limit. */
async function rangesOf(
  ports: Ports,
  clusters: ClusterRegistry,
  route: ShardRoute,
  input: Input,
): Promise<readonly RowRange[]> {
  const keys = new RunKeys(input.cluster, input.execution);
  if (input.round > 1) {
    const ranges: RowRange[] = [];
    for await (const { key } of ports.backups.list(
      keys.unequal({ ...input, shard: route.shard, round: input.round - 1 }),
    )) {
      ranges.push((await readJson(ports.backups, key, unequalRangeSchema)).range);
    }
    return ranges;
  }
  if (input.soFar !== null) {
    return readJson(ports.backups, keys.ranges(route.shard), comparedRangesSchema);
  }
  const { schemas } = await clusters.shard(input.cluster, route.shard);
  const { rowsPerChunk, bytesPerChunk } = (await ports.settings.cluster(input.cluster)).backup;
  const planned = await ports.databases.planRanges(route.source, { schemas, rowsPerChunk, bytesPerChunk });
  const ranges = planned.map(({ range }) => range);
  await writeJson(ports.backups, keys.ranges(route.shard), ranges);
  return ranges;
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  backups: backups(),
  databases: databases(),
});
