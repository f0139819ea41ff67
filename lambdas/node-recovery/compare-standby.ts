import * as z from 'zod';
import { backups, databases, registry, settings, stepPorts } from '../../adapters/ports';
import { readJson, writeJson } from '../../core/backup/json-object';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { RowRange } from '../../core/cluster/manifest';
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
  readonly databases: ComparePorts['databases'] & Pick<DatabaseEngine, 'planRanges' | 'standbyState'>;
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

/** Left for the range that was begun: reading it on both sides, and up to six looks at its rows. */
const reserveMs = 180_000;
const followTimeoutMs = 60_000;

/**
 * Compares all rows of the primary and of a standby, range by range. Goes on from where the call before it stopped. What a
 * physical copy lacks can't be mended by rows, so a difference is only counted.
 *
 * @throws ConditionFailed when another node is the primary by now; NotProved when the standby no longer follows
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'compare-standby', input: inputSchema, effect: 'changes' },
    async (input, context): Promise<Comparison> => {
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
      return compareRanges(
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
          ranges: await rangesOf(ports, source, shard.schemas, input),
          soFar: input.soFar,
          mayGoOn: () => context.remainingMs() > reserveMs,
          note: async () => undefined,
        },
      );
    },
  );

async function rangesOf(
  ports: Ports,
  source: DatabaseAddress,
  schemas: readonly string[],
  input: Input,
): Promise<readonly RowRange[]> {
  const key = new RunKeys(input.cluster, input.execution).ranges(input.slot.shard);
  if (input.soFar !== null) {
    return readJson(ports.backups, key, comparedRangesSchema);
  }
  const { rowsPerChunk, bytesPerChunk } = (await ports.settings.cluster(input.cluster)).backup;
  const planned = await ports.databases.planRanges(source, { schemas: [...schemas], rowsPerChunk, bytesPerChunk });
  const ranges = planned.map(({ range }) => range);
  await writeJson(ports.backups, key, ranges);
  return ranges;
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  backups: backups(),
  databases: databases(),
});
