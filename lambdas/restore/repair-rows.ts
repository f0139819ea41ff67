import * as z from 'zod';
import { backups, databases, registry, settings, stepPorts } from '../../adapters/ports';
import { readJson } from '../../core/backup/json-object';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import type { ShardRoute } from '../../core/restore/catch-up';
import { routeOf } from '../../core/restore/route';
import { RunKeys } from '../../core/restore/run-keys';
import { unequalRangeSchema, type UnequalRange } from '../../core/restore/unequal';
import { replacementSchema, restoreSlotSchema } from '../../core/restore/work-order';
import { defineStep, type StepContext, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly backups: Objects;
  readonly databases: Pick<DatabaseEngine, 'repairRows'>;
}

const inputSchema = z.strictObject({
  cluster: z.string(),
  execution: z.string(),
  replacement: replacementSchema,
  slot: restoreSlotSchema,
  /** Grows when shards start again: the answers of an earlier attempt are none for this one. */
  attempt: z.int().min(1),
  round: z.int().min(1),
  /** The unequal range to go on with. */
  next: z.int().min(0),
  /** Rows that earlier calls of this round repaired. */
  repaired: z.int().min(0),
});

/** Rows copied in one statement: bounds memory and the length of the statement. */
const keysAtOnce = 500;
const reserveMs = 60_000;

/**
 * Copies the rows that a comparison found unequal from the primary to the replacement, or deletes them there. A copied row
 * may be newer than what the replacement has applied; the pass that follows brings the rest there, as after a load.
 */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'repair-rows', input: inputSchema, effect: 'changes' }, async (input, context) => {
    const clusters = new ClusterRegistry(ports.registry);
    const addresses = new AddressBook(clusters, ports.settings);
    const route = await routeOf({ clusters, addresses, settings: ports.settings }, input);
    const objects: string[] = [];
    const folder = new RunKeys(input.cluster, input.execution).unequal({ ...input, shard: route.shard });
    for await (const { key } of ports.backups.list(folder)) {
      objects.push(key);
    }
    let { next, repaired } = input;
    for (const key of objects.slice(next)) {
      if (!mayGoOn(context)) {
        break;
      }
      repaired += await repairRange(ports, route, await readJson(ports.backups, key, unequalRangeSchema));
      next += 1;
    }
    return { shard: route.shard, next: next < objects.length ? next : null, repaired };
  });

async function repairRange(ports: Ports, route: ShardRoute, { range, keys }: UnequalRange): Promise<number> {
  let repaired = 0;
  for (let from = 0; from < keys.length; from += keysAtOnce) {
    repaired += await ports.databases.repairRows(route.source, route.target, {
      shard: route.shard,
      range,
      keys: keys.slice(from, from + keysAtOnce),
    });
  }
  return repaired;
}

function mayGoOn(context: StepContext): boolean {
  return context.remainingMs() > reserveMs;
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  backups: backups(),
  databases: databases(),
});
