import { z } from 'zod';
import { backups, databases, registry, settings, stepPorts } from '../../adapters/ports';
import { readJson, writeJson } from '../../core/backup/json-object';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { RowRange } from '../../core/cluster/manifest';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import type { CatchUpDatabases, ShardRoute } from '../../core/restore/catch-up';
import { compareRange, type ComparePorts } from '../../core/restore/compare-range';
import { routeOf } from '../../core/restore/route';
import { RunKeys } from '../../core/restore/run-keys';
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
      let seen = input.soFar ?? nothingSeen(route.shard);
      const mayGoOn = (): boolean => context.remainingMs() > reserveMs;
      for (let number = seen.next ?? 0; number < ranges.length; number += 1) {
        const range = ranges[number];
        const found = range === undefined || !mayGoOn() ? null : await compareRange(ports, route, range, mayGoOn);
        if (found === null || range === undefined) {
          return { ...seen, next: number };
        }
        if (found.unequal.length > 0) {
          const keys = found.unequal.map((key) => [...key]);
          const unequal: UnequalRange = { range, keys, unproved: found.unproved };
          const at = new RunKeys(input.cluster, input.execution).unequalRange({ ...input, shard: route.shard }, number);
          await writeJson(ports.backups, at, unequal);
        }
        seen = {
          ...seen,
          rows: seen.rows + found.rows,
          unequal: seen.unequal + (found.unequal.length > 0 ? 1 : 0),
          differing: seen.differing + found.unequal.length,
          unproved: seen.unproved + found.unproved,
        };
      }
      return { ...seen, next: null };
    },
  );

function nothingSeen(shard: string): Comparison {
  return { shard, next: 0, rows: 0, unequal: 0, differing: 0, unproved: 0 };
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
