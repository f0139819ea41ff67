import * as z from 'zod';
import { backups, databases, registry, settings, stepPorts } from '../../adapters/ports';
import { readJson } from '../../core/backup/json-object';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import { schemaDescriptionSchema } from '../../core/cluster/manifest';
import type { DatabaseEngine } from '../../core/ports/database-engine';
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
  readonly databases: Pick<DatabaseEngine, 'createTables' | 'dropShard' | 'dropUniques'>;
}

const inputSchema = z.strictObject({
  cluster: z.string(),
  workKey: z.string(),
  replacement: replacementSchema,
  shard: z.string(),
  /** Grows when shards start again: the answers of an earlier attempt are none for this one. */
  attempt: z.int().min(1),
});

/**
 * Makes a shard's tables on the replacement, without keys and indexes and closed for writes. What is there stays. Rows of a
 * snapshot stay in their tables, which lose what they would break while changes are replayed; where a snapshot's rows are of
 * no use, they go first.
 */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'create-tables', input: inputSchema, effect: 'changes' }, async (input) => {
    const { work } = await readWorkShard(ports.backups, input.workKey, input.shard);
    const schema = await readJson(ports.backups, work.schemaKey, schemaDescriptionSchema);
    const addresses = new AddressBook(new ClusterRegistry(ports.registry), ports.settings);
    const target = await addresses.at(input.cluster, input.replacement);
    if (work.rowsFrom === 'snapshot') {
      await ports.databases.dropUniques(target, { shard: work.shard, schemas: work.schemas });
    } else if (input.replacement.machineKind === 'rds') {
      await ports.databases.dropShard(target, { shard: work.shard, schemas: work.schemas });
    }
    await ports.databases.createTables(target, { shard: work.shard, epoch: work.epoch, schema });
    return { shard: work.shard, tables: schema.tables.length };
  });

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  backups: backups(),
  databases: databases(),
});
