import * as z from 'zod';
import { backups, registry, stepPorts } from '../../adapters/ports';
import { readJson, writeJson } from '../../core/backup/json-object';
import { BackupKeys } from '../../core/backup/object-keys';
import { shardPlanSchema, type PlannedChunk } from '../../core/backup/plan';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly backups: Objects;
}

const inputSchema = z.strictObject({ cluster: z.string(), backup: z.string() });

/** Joins the shards' plans into the items of the maps that write and check chunks. */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'list-chunks', input: inputSchema, effect: 'changes' }, async ({ cluster, backup }) => {
    const keys = new BackupKeys(cluster, backup);
    const items: PlannedChunk[] = [];
    for (const { id } of await new ClusterRegistry(ports.registry).shards(cluster)) {
      items.push(...(await readJson(ports.backups, keys.plan(id), shardPlanSchema)).chunks);
    }
    await writeJson(ports.backups, keys.items, items);
    return { chunks: items.length };
  });

export const handler = makeStep({ ...stepPorts(), registry: registry(), backups: backups() });
