import * as z from 'zod';
import { databases, registry, settings, stepPorts } from '../../adapters/ports';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import { bytesBetween } from '../../core/cluster/position';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { catchUp, type CatchUpDatabases } from '../../core/restore/catch-up';
import type { ShardPass } from '../../core/restore/convergence';
import { routeOf } from '../../core/restore/route';
import { replacementSchema, restoreSlotSchema } from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly databases: CatchUpDatabases & Pick<DatabaseEngine, 'slot'>;
}

const inputSchema = z.strictObject({
  cluster: z.string(),
  replacement: replacementSchema,
  slot: restoreSlotSchema,
  /** Over all passes of the execution, from 1. */
  pass: z.int().min(1),
});

/** Left for the changes that were begun, and the answer. */
const reserveMs = 120_000;

/**
 * One pass over one shard: applies everything that its primary had when the pass began, and measures what came in
 * meanwhile.
 *
 * @throws SlotLost
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'capture-pass', input: inputSchema, effect: 'changes' },
    async (input, context): Promise<ShardPass> => {
      const clusters = new ClusterRegistry(ports.registry);
      const addresses = new AddressBook(clusters, ports.settings);
      const route = await routeOf({ clusters, addresses, settings: ports.settings }, input);
      const startedMs = ports.clock.nowMs();
      const { confirmedTo } = await ports.databases.slot(route.source, route.slot);
      // Its commit brings to disk, from which the slot is read, whatever was there before.
      const begin = await ports.databases.writeMarker(route.source, route.shard);
      const applied = await catchUp(ports.databases, route, begin, () => context.remainingMs() > reserveMs);
      const end = await ports.databases.position(route.source);
      const from = confirmedTo ?? begin;
      const reachedTo = applied.reached ? begin : (applied.appliedTo ?? from);
      return {
        shard: route.shard,
        segments: applied.segments,
        rows: applied.rows,
        bytes: applied.bytes,
        appliedBytes: Math.max(0, bytesBetween(from, reachedTo)),
        gainedBytes: Math.max(0, bytesBetween(begin, end)),
        lagBytes: Math.max(0, bytesBetween(reachedTo, end)),
        durationMs: ports.clock.nowMs() - startedMs,
        complete: applied.reached,
      };
    },
  );

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  databases: databases(),
});
