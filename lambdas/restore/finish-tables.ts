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
import { RunKeys } from '../../core/restore/run-keys';
import { replacementSchema } from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly backups: Objects;
  readonly databases: Pick<DatabaseEngine, 'finishTables' | 'installShard'>;
}

const inputSchema = z.strictObject({
  cluster: z.string(),
  execution: z.string(),
  replacement: replacementSchema,
  shard: z.string(),
  /** Grows when shards start again: the answers of an earlier attempt are none for this one. */
  attempt: z.int().min(1),
});

/**
 * Adds what comes after the rows: foreign keys, triggers, and the checks that guard writes. Only now, because rows that a
 * lineage's gap left out would break foreign keys until the comparison has brought them.
 */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'finish-tables', input: inputSchema, effect: 'changes' }, async (input) => {
    const clusters = new ClusterRegistry(ports.registry);
    const target = await new AddressBook(clusters, ports.settings).at(input.cluster, input.replacement);
    const { shard } = input;
    const { schemas, epoch } = await clusters.shard(input.cluster, shard);
    const schemaKey = new RunKeys(input.cluster, input.execution).schema(shard);
    const schema = await readJson(ports.backups, schemaKey, schemaDescriptionSchema);
    await ports.databases.finishTables(target, { shard, schema });
    await ports.databases.installShard(target, { shard, schemas, epoch, writable: false });
    return { shard };
  });

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  backups: backups(),
  databases: databases(),
});
