import * as z from 'zod';
import { backups, databases, registry, settings, stepPorts } from '../../adapters/ports';
import { readJson } from '../../core/backup/json-object';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import { schemaDescriptionSchema, type SchemaDescription } from '../../core/cluster/manifest';
import { RejoinError } from '../../core/errors';
import type { DatabaseAddress, DatabaseEngine } from '../../core/ports/database-engine';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { readWorkShard } from '../../core/restore/restore-shard';
import { replacementSchema } from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly backups: Objects;
  readonly databases: Pick<DatabaseEngine, 'startIndexes' | 'indexProgress'>;
}

const inputSchema = z.strictObject({
  cluster: z.string(),
  workKey: z.string(),
  replacement: replacementSchema,
  shard: z.string(),
  /** Grows when shards start again: the answers of an earlier attempt are none for this one. */
  attempt: z.int().min(1),
  /** How often it was asked before; each question is one of its own. */
  turn: z.int().min(0),
});

/** Keys first: changes can't be applied without them, and the other indexes are built faster beside each other. */
const parts = ['keys', 'indexes'] as const;
/** Small tables are done before a state machine's wait would be; larger ones are waited for there. */
const watchedMs = 20_000;
const betweenMs = 200;

/**
 * Starts a shard's key and index builds, which the server goes on with by itself, and watches them for a while.
 *
 * @throws SqlFailed when a build failed, naming it
 */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'build-indexes', input: inputSchema, effect: 'changes' }, async (input) => {
    const { work } = await readWorkShard(ports.backups, input.workKey, input.shard);
    const schema = await readJson(ports.backups, work.schemaKey, schemaDescriptionSchema);
    const addresses = new AddressBook(new ClusterRegistry(ports.registry), ports.settings);
    const target = await addresses.at(input.cluster, input.replacement);
    const untilMs = ports.clock.nowMs() + watchedMs;
    for (const part of parts) {
      const progress = await watch(ports, target, { shard: work.shard, schema, part }, untilMs);
      if (progress.built < progress.total) {
        return { shard: work.shard, done: false, part, built: progress.built, total: progress.total };
      }
    }
    return { shard: work.shard, done: true, part: null, built: null, total: null };
  });

async function watch(
  ports: Ports,
  target: DatabaseAddress,
  order: { readonly shard: string; readonly schema: SchemaDescription; readonly part: (typeof parts)[number] },
  untilMs: number,
): Promise<{ readonly built: number; readonly total: number }> {
  await ports.databases.startIndexes(target, order);
  for (;;) {
    const progress = await ports.databases.indexProgress(target, order);
    if (progress.failed.length > 0) {
      throw new RejoinError(
        'SqlFailed',
        `${progress.failed.length} of ${progress.total} ${order.part} of ${order.shard} could not be built on node '${target.nodeId}': ${progress.failed.join('; ')}`,
      );
    }
    if (progress.built >= progress.total || ports.clock.nowMs() >= untilMs) {
      return progress;
    }
    await ports.clock.sleep(betweenMs);
  }
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  backups: backups(),
  databases: databases(),
});
