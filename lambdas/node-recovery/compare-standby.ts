import * as z from 'zod';
import { backups, databases, registry, settings, stepPorts } from '../../adapters/ports';
import { readJson, writeJson } from '../../core/backup/json-object';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import { awaitReplay } from '../../core/node-recovery/await-replay';
import { shardBehind } from '../../core/node-recovery/replicated-shard';
import type { DatabaseAddress, DatabaseEngine } from '../../core/ports/database-engine';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import type { ComparePorts } from '../../core/restore/compare-range';
import { compareRanges } from '../../core/restore/compare-ranges';
import { RunKeys } from '../../core/restore/run-keys';
import { comparedRangesSchema, comparisonSchema, type Comparison } from '../../core/restore/unequal';
import { replacementSchema, restoreSlotSchema } from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly backups: Objects;
  readonly databases: ComparePorts['databases'] & Pick<DatabaseEngine, 'holdings' | 'planRanges' | 'standbyState'>;
}

const inputSchema = z.strictObject({
  cluster: z.string(),
  execution: z.string(),
  replacement: replacementSchema,
  /** How it stood behind its primary when it had caught up. */
  slot: restoreSlotSchema,
  /** What earlier calls came to; null in the first. */
  soFar: comparisonSchema.nullable(),
});
type Input = z.infer<typeof inputSchema>;

/** How the rows are compared, and the tables that can't be. */
const comparisonPlanSchema = z.strictObject({ ranges: comparedRangesSchema, withoutKey: z.array(z.string()) });
type ComparisonPlan = z.infer<typeof comparisonPlanSchema>;

export type StandbyComparison = Readonly<{ comparison: Comparison; withoutKey: string[] }>;

/** Left for the range that was begun: reading it on both sides, and up to six looks at its rows. */
const reserveMs = 180_000;
const followTimeoutMs = 60_000;

/**
 * Compares all rows of the primary and of a standby, range by range. Goes on from where the call before it stopped. What a
 * physical copy lacks can't be mended by rows, so a difference is only counted. Rows that no key tells apart can't be
 * compared while they change; their tables are named.
 *
 * @throws ConditionFailed when another node is the primary by now; NotProved when the standby no longer follows
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'compare-standby', input: inputSchema, effect: 'changes' },
    async (input, context): Promise<StandbyComparison> => {
      const clusterRegistry = new ClusterRegistry(ports.registry);
      const shard = await shardBehind(clusterRegistry, input.cluster, {
        standby: input.replacement.nodeId,
        primary: input.slot.primary,
      });
      const addresses = new AddressBook(clusterRegistry, ports.settings);
      const [source, target] = await Promise.all([
        addresses.of(input.cluster, shard.primary),
        addresses.at(input.cluster, input.replacement),
      ]);
      const plan = await planOf(ports, source, input);
      const comparison = await compareRanges(
        {
          databases: ports.databases,
          clock: ports.clock,
          letFollow: async (to) => {
            await awaitReplay(ports, target, to, followTimeoutMs);
            return true;
          },
        },
        {
          sides: { shard: shard.id, source, target },
          ranges: plan.ranges,
          soFar: input.soFar,
          mayGoOn: () => context.remainingMs() > reserveMs,
          note: async () => undefined,
        },
      );
      return { comparison, withoutKey: [...plan.withoutKey] };
    },
  );

/** Made in the first call, and the same in all others. */
async function planOf(ports: Ports, source: DatabaseAddress, input: Input): Promise<ComparisonPlan> {
  const key = new RunKeys(input.cluster, input.execution).ranges(input.slot.shard);
  if (input.soFar !== null) {
    return readJson(ports.backups, key, comparisonPlanSchema);
  }
  const { schemas } = await ports.databases.holdings(source, 'all');
  const { rowsPerChunk, bytesPerChunk } = (await ports.settings.cluster(input.cluster)).backup;
  const planned = await ports.databases.planRanges(source, {
    schemas: schemas.map(({ schema }) => schema),
    rowsPerChunk,
    bytesPerChunk,
    withoutKey: 'left out',
  });
  const ranges = planned.map(({ range }) => range);
  const compared = new Set(ranges.map(({ schema, table }) => `${schema}.${table}`));
  const tables = schemas.flatMap(({ schema, tables: its }) => its.map((table) => `${schema}.${table}`));
  const plan = { ranges, withoutKey: tables.filter((table) => !compared.has(table)) };
  await writeJson(ports.backups, key, plan);
  return plan;
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  backups: backups(),
  databases: databases(),
});
