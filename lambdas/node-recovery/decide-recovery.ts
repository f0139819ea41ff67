import * as z from 'zod';
import { databases, executions, machines, managedDatabases, registry, settings, stepPorts } from '../../adapters/ports';
import { ClusterRegistry, databaseOf } from '../../core/cluster/cluster-registry';
import type { BackupItem, NodeItem, Shard } from '../../core/cluster/items';
import type { ClusterSettings } from '../../core/cluster/settings';
import { chooseStrategy, newestUsableBackup, type Snapshot } from '../../core/node-recovery/choose-strategy';
import { decideRecovery, type RecoveryDecision } from '../../core/node-recovery/decide-recovery';
import { judgementSchema } from '../../core/node-recovery/judge-node';
import { ownedBy, survivorOf } from '../../core/node-recovery/ownership';
import { recoveryInputSchema } from '../../core/node-recovery/trigger';
import type { DatabaseEngine, Peculiarity } from '../../core/ports/database-engine';
import type { Machines } from '../../core/ports/machines';
import type { ManagedDatabases } from '../../core/ports/managed-databases';
import type { Registry } from '../../core/ports/registry';
import type { Executions, Settings } from '../../core/ports/surroundings';
import type { Strategy } from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly machines: Pick<Machines, 'newestSnapshot'>;
  readonly managedDatabases: Pick<ManagedDatabases, 'snapshots'>;
  readonly databases: Pick<DatabaseEngine, 'preflight'>;
  readonly executions: Pick<Executions, 'running'>;
}

const inputSchema = recoveryInputSchema.extend({
  confirmation: judgementSchema.extend({ silent: z.array(z.string()) }),
});

/** What the later states need of the decision. */
export type Decided = RecoveryDecision & {
  /** Null unless the node is replaced. */
  readonly strategy: Strategy | null;
  /** The node filter: the shards that the node owned before anything was promoted. */
  readonly shards: string[];
};

/** Decides whether a node is replaced, and from what its rows are restored. Changes nothing, so it is safe to repeat. */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'decide-recovery', input: inputSchema, effect: 'reads' },
    async ({ confirmation, ...input }, context): Promise<Decided> => {
      const clusterRegistry = new ClusterRegistry(ports.registry);
      const [cluster, nodes, shards, backups, running] = await Promise.all([
        ports.settings.cluster(input.cluster),
        clusterRegistry.nodes(input.cluster),
        clusterRegistry.shards(input.cluster),
        clusterRegistry.backups(input.cluster),
        ports.executions.running(context.run.machine),
      ]);
      const owned = shards.filter((shard) => ownedBy(shard, input.nodeId));
      const nowMs = ports.clock.nowMs();
      const decision = decideRecovery({
        input,
        nowMs,
        policy: cluster.policy,
        layout: cluster.layout,
        changesEveryMinutes: cluster.backup.changesEveryMinutes,
        judgement: confirmation,
        silent: confirmation.silent,
        nodes,
        shards,
        running: new Set(running.filter((execution) => execution !== context.run.execution)),
        hasUsableBackup: newestUsableBackup(backupFacts(cluster, backups, nowMs)).backup !== null,
        refusedTables:
          confirmation.verdict === 'unknown'
            ? []
            : await refusedTables(ports, cluster, nodes, owned, { nodeId: input.nodeId, silent: confirmation.silent }),
      });
      const node = nodes.find((candidate) => candidate.id === input.nodeId);
      if (decision.action !== 'replace' || node === undefined) {
        return { ...decision, strategy: null, shards: [] };
      }
      const strategy = chooseStrategy({
        ...backupFacts(cluster, backups, nowMs),
        layout: cluster.layout,
        machineKind: node.machineKind,
        snapshot: await newestSnapshot(ports, node, cluster.name),
      });
      return { ...decision, strategy, shards: owned.map((shard) => shard.id) };
    },
  );

function backupFacts(cluster: ClusterSettings, backups: readonly BackupItem[], nowMs: number) {
  return { backups, shardCount: cluster.shardCount, maxBackupAgeDays: cluster.backup.maxAgeDays, nowMs };
}

/** Looks at the tables where they still are: on each shard's other owner. */
async function refusedTables(
  ports: Pick<Ports, 'databases'>,
  cluster: ClusterSettings,
  nodes: readonly NodeItem[],
  owned: readonly Shard[],
  about: { readonly nodeId: string; readonly silent: readonly string[] },
): Promise<readonly Peculiarity[]> {
  const reachable = nodes.filter((node) => node.state === 'serving' && !about.silent.includes(node.id));
  const found = await Promise.all(
    reachable.map(async (node) => {
      const schemas = owned
        .filter((shard) => survivorOf(shard, about.nodeId) === node.id)
        .flatMap((shard) => shard.schemas);
      return schemas.length === 0 ? [] : ports.databases.preflight(databaseOf(cluster, node), schemas);
    }),
  );
  return found.flat().filter((peculiarity) => peculiarity.verdict === 'refused');
}

async function newestSnapshot(
  ports: Pick<Ports, 'machines' | 'managedDatabases'>,
  node: NodeItem,
  cluster: string,
): Promise<Snapshot | null> {
  if (node.machineKind === 'rds') {
    const [newest] = await ports.managedDatabases.snapshots(node.machineId);
    return newest ?? null;
  }
  return ports.machines.newestSnapshot(cluster);
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  machines: machines(),
  managedDatabases: managedDatabases(),
  databases: databases(),
  executions: executions(),
});
