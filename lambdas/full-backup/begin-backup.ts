import * as z from 'zod';
import { backups, databases, executions, registry, settings, stepPorts } from '../../adapters/ports';
import { decideBackup } from '../../core/backup/decide-backup';
import { intoGroups } from '../../core/backup/groups';
import { BackupKeys } from '../../core/backup/object-keys';
import { dropSlotsOf, removeBackupItem, removeObjects } from '../../core/backup/remove-backup';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { BackupItem } from '../../core/cluster/items';
import { nameSchema } from '../../core/cluster/settings';
import { isRejoinError } from '../../core/errors';
import type { Run } from '../../core/ledger/run-ledger';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Executions, Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly backups: Objects;
  readonly executions: Pick<Executions, 'describe'>;
  readonly databases: Pick<DatabaseEngine, 'dropSlot'>;
}

/** `asked` is the execution's own input. */
const inputSchema = z.strictObject({ asked: z.strictObject({ cluster: nameSchema }) });

/**
 * Decides whether a backup is made, removes what abandoned ones left, and registers this one. It has the name of its
 * execution.
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'begin-backup', input: inputSchema, effect: 'changes' },
    async ({ asked: { cluster } }, { run }) => {
      // A cluster that rejoin.yaml does not know has no backups, whatever the registry says.
      await ports.settings.cluster(cluster);
      const clusters = new ClusterRegistry(ports.registry);
      const meta = await clusters.meta(cluster);
      const shards = await clusters.shards(cluster);
      const all = await clusters.backups(cluster);
      const backup = run.execution;
      const alive = await aliveOf(ports, run, all);
      const decision = decideBackup({ backup, meta, shards, backups: all, alive });
      for (const abandoned of decision.abandoned) {
        await removeAbandoned(ports, clusters, cluster, abandoned);
      }
      const keys = new BackupKeys(cluster, backup);
      const answer = {
        action: decision.action,
        reason: decision.reason,
        backup,
        bucket: ports.backups.bucket,
        itemsKey: keys.items,
      };
      if (decision.action !== 'back up') {
        return { ...answer, groups: [] };
      }
      await register(clusters, cluster, {
        id: backup,
        manifestKey: keys.manifest,
        state: 'running',
        shardCount: meta.shardCount,
        startedAtMs: ports.clock.nowMs(),
        finishedAtMs: null,
        damage: null,
      });
      return { ...answer, groups: intoGroups(shards.map((shard) => shard.id)) };
    },
  );

/** Backups whose execution has not ended. */
async function aliveOf(ports: Ports, run: Run, all: readonly BackupItem[]): Promise<ReadonlySet<string>> {
  const alive = new Set<string>();
  for (const { id, state } of all) {
    if (state === 'running' && id !== run.execution) {
      const execution = await ports.executions.describe(run.machine, id);
      if (execution?.status === 'running') {
        alive.add(id);
      }
    }
  }
  return alive;
}

async function removeAbandoned(
  ports: Ports,
  clusters: ClusterRegistry,
  cluster: string,
  backup: string,
): Promise<void> {
  const addresses = new AddressBook(clusters, ports.settings);
  await dropSlotsOf({ ...ports, registry: clusters, addresses }, cluster, backup);
  await removeObjects(ports.backups, cluster, backup);
  await removeBackupItem(clusters, cluster, backup);
}

async function register(clusters: ClusterRegistry, cluster: string, value: BackupItem): Promise<void> {
  try {
    await clusters.add(cluster, { kind: 'BACKUP', value });
  } catch (thrown) {
    // An earlier call of this step, which did not live to answer.
    if (!isRejoinError(thrown, 'ConditionFailed')) {
      throw thrown;
    }
  }
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  backups: backups(),
  executions: executions(),
  databases: databases(),
});
