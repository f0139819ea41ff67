import * as z from 'zod';
import { databases, registry, settings, stepPorts } from '../../adapters/ports';
import { ClusterRegistry, databaseOf } from '../../core/cluster/cluster-registry';
import { standbyName } from '../../core/cluster/names';
import { bytesBetween, type LogPosition } from '../../core/cluster/position';
import { nameSchema } from '../../core/cluster/settings';
import { isRejoinError } from '../../core/errors';
import { replicatedShard } from '../../core/node-recovery/replicated-shard';
import type { DatabaseAddress, DatabaseEngine, StandbyState } from '../../core/ports/database-engine';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { replacementSchema, type RestoreSlot } from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly databases: Pick<DatabaseEngine, 'standBehind' | 'standbyState' | 'position'>;
}

const inputSchema = z.strictObject({
  cluster: nameSchema,
  replacement: replacementSchema,
  /** Where the log began that it has to catch up with; null until that is known. */
  from: z.string().nullable(),
});

/** So much log is caught up with while rows are compared. */
const littleLagBytes = 1_048_576;

export type CaughtUpStandby = Readonly<{
  caughtUp: boolean;
  from: LogPosition | null;
  lagBytes: number | null;
  /** The slot on the primary that it stands behind. */
  slot: RestoreSlot | null;
  reason: string;
}>;

/**
 * Makes the replacement stand behind the primary, whoever that is by now, and looks how far it is behind. Repeating it
 * changes nothing.
 *
 * @throws SqlFailed when the replacement is no standby
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'catch-up-standby', input: inputSchema, effect: 'reads' },
    async ({ cluster: name, replacement, from: before }): Promise<CaughtUpStandby> => {
      const clusterRegistry = new ClusterRegistry(ports.registry);
      const cluster = await ports.settings.cluster(name);
      const shard = await replicatedShard(clusterRegistry, name);
      const primary = databaseOf(cluster, await clusterRegistry.node(name, shard.primary));
      const target = databaseOf(cluster, { ...replacement, id: replacement.nodeId });
      const slot = standbyName(replacement.nodeId);
      const seen = await standBehind(ports, { target, primary, slot });
      if (typeof seen === 'string') {
        return { caughtUp: false, from: before, lagBytes: null, slot: null, reason: seen };
      }
      const end = await ports.databases.position(primary);
      const from = before ?? seen.replayedTo;
      const lagBytes = seen.replayedTo === null ? null : Math.max(0, bytesBetween(seen.replayedTo, end));
      const caughtUp = seen.streaming && lagBytes !== null && lagBytes <= littleLagBytes;
      const behind = lagBytes === null ? 'has replayed nothing yet' : `is ${lagBytes} bytes behind ${shard.primary}`;
      return {
        caughtUp,
        from,
        lagBytes,
        slot: { shard: shard.id, slot, primary: shard.primary, from: from ?? end },
        reason: `${replacement.nodeId} ${behind}${seen.streaming ? '' : ', and does not receive its log'}`,
      };
    },
  );

/** @returns in words why it can't be told yet, where its server is only starting */
async function standBehind(
  ports: Ports,
  order: { readonly target: DatabaseAddress; readonly primary: DatabaseAddress; readonly slot: string },
): Promise<StandbyState | string> {
  try {
    await ports.databases.standBehind(order.target, { name: order.slot, primary: order.primary });
    return await ports.databases.standbyState(order.target);
  } catch (thrown) {
    if (!isRejoinError(thrown, 'SqlUnavailable')) {
      throw thrown;
    }
    return `${order.target.nodeId} can't stand behind ${order.primary.nodeId} yet: ${thrown.message}`;
  }
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  databases: databases(),
});
