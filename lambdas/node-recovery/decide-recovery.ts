import * as z from 'zod';
import {
  backups,
  databases,
  executions,
  machines,
  managedDatabases,
  registry,
  settings,
  stepPorts,
} from '../../adapters/ports';
import { readJson } from '../../core/backup/json-object';
import { ClusterRegistry, databaseOf } from '../../core/cluster/cluster-registry';
import type { BackupItem, NodeItem, Shard } from '../../core/cluster/items';
import { manifestSchema } from '../../core/cluster/manifest';
import type { ClusterSettings } from '../../core/cluster/settings';
import { chooseStrategy, newestUsableBackup, type Snapshot } from '../../core/node-recovery/choose-strategy';
import { decideRecovery, type RecoveryDecision } from '../../core/node-recovery/decide-recovery';
import { judgementSchema } from '../../core/node-recovery/judge-node';
import { ownedBy, survivorOf } from '../../core/node-recovery/ownership';
import { lossOf, shardsWithoutSurvivor, type ShardLoss } from '../../core/node-recovery/shard-loss';
import { recoveryInputSchema } from '../../core/node-recovery/trigger';
import { opinionSchema } from '../../core/node-recovery/witnesses';
import type { DatabaseEngine, Peculiarity } from '../../core/ports/database-engine';
import type { Machines } from '../../core/ports/machines';
import type { ManagedDatabases } from '../../core/ports/managed-databases';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Executions, Settings } from '../../core/ports/surroundings';
import type { Strategy } from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly machines: Pick<Machines, 'newestSnapshot'>;
  readonly managedDatabases: Pick<ManagedDatabases, 'snapshots'>;
  readonly databases: Pick<DatabaseEngine, 'preflight' | 'logKeptFromMs'>;
  readonly executions: Pick<Executions, 'running'>;
  readonly backups: Pick<Objects, 'read'>;
}

const inputSchema = recoveryInputSchema.extend({
  confirmation: judgementSchema.extend({ silent: z.array(z.string()) }),
});

/** What the later states need of the decision. */
export type Decided = RecoveryDecision & {
  readonly layout: ClusterSettings['layout'];
  /** Null unless the node is replaced. */
  readonly strategy: Strategy | null;
  /** The node filter: the shards that the node owned before anything was promoted, and that another node has. */
  readonly shards: string[];
  /** Those that only a backup has. */
  readonly lost: ShardLoss[];
  /** Nodes besides that may still accept writes of lost shards: each is proved stopped first. */
  readonly otherPrimaries: string[];
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
      const replicated = cluster.layout === 'replicated';
      const owned = shards.filter((shard) => replicated || ownedBy(shard, input.nodeId));
      const nowMs = ports.clock.nowMs();
      const gone = replicated || input.planned ? [] : shardsWithoutSurvivor(owned, input.nodeId, confirmation.silent);
      const losses = await lossesOf(ports, { cluster, nodeId: input.nodeId, gone, backups, nowMs });
      const decision = decideRecovery({
        input,
        nowMs,
        policy: cluster.policy,
        layout: cluster.layout,
        judgement: confirmation,
        silent: confirmation.silent,
        nodes,
        shards,
        running: new Set(running.filter((execution) => execution !== context.run.execution)),
        losses,
        refusedTables:
          // A physical copy takes whatever is in the tables.
          replicated || confirmation.verdict === 'unknown'
            ? []
            : await refusedTables(ports, cluster, nodes, owned, { nodeId: input.nodeId, silent: confirmation.silent }),
      });
      const node = nodes.find((candidate) => candidate.id === input.nodeId);
      if (decision.action !== 'replace' || node === undefined) {
        return { ...decision, layout: cluster.layout, strategy: null, shards: [], lost: [], otherPrimaries: [] };
      }
      const strategy = chooseStrategy({
        ...backupFacts(cluster, backups, nowMs),
        layout: cluster.layout,
        machineKind: node.machineKind,
        // What only a backup has comes from that backup, and so does the rest.
        snapshot: gone.length > 0 ? null : await newestSnapshot(ports, node, cluster.name),
        logKeptFromMs: replicated ? await logKeptFromMs(ports, cluster, nodes, confirmation.silent) : null,
      });
      const lost = (losses ?? []).filter((loss) => typeof loss !== 'string');
      return {
        ...decision,
        layout: cluster.layout,
        reason: [decision.reason, ...lost.map(inWordsOf)].join('; '),
        strategy,
        shards: owned.filter((shard) => !gone.includes(shard)).map((shard) => shard.id),
        lost,
        otherPrimaries: [...new Set(lost.flatMap(({ otherPrimary }) => otherPrimary ?? []))],
      };
    },
  );

/** Null: no backup is usable. Reads a backup's manifest only where a shard has nothing else. */
async function lossesOf(
  ports: Pick<Ports, 'registry' | 'backups'>,
  about: {
    readonly cluster: ClusterSettings;
    readonly nodeId: string;
    readonly gone: readonly Shard[];
    readonly backups: readonly BackupItem[];
    readonly nowMs: number;
  },
): Promise<readonly (ShardLoss | string)[] | null> {
  const { cluster, nodeId, gone, nowMs } = about;
  if (gone.length === 0) {
    return [];
  }
  const { backup } = newestUsableBackup(backupFacts(cluster, about.backups, nowMs));
  if (backup === null) {
    return null;
  }
  const [manifest, slots, items] = await Promise.all([
    readJson(ports.backups, backup.manifestKey, manifestSchema),
    new ClusterRegistry(ports.registry).slots(cluster.name),
    ports.registry.list(`CLUSTER#${cluster.name}`, 'OPINION#'),
  ]);
  const opinions = items.map((item) => opinionSchema.parse(item.value));
  const { changesEveryMinutes } = cluster.backup;
  return gone.map((shard) => lossOf({ shard, nodeId, backup, manifest, slots, opinions, changesEveryMinutes, nowMs }));
}

function inWordsOf(loss: ShardLoss): string {
  return `${loss.shard} comes from a backup whose changes end at ${loss.capturedTo} of ${loss.logOf}'s log: up to ${loss.lossSeconds} s of its writes are lost`;
}

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

/** Whoever is the primary then: the shortest of the logs that living nodes keep. */
async function logKeptFromMs(
  ports: Pick<Ports, 'databases'>,
  cluster: ClusterSettings,
  nodes: readonly NodeItem[],
  silent: readonly string[],
): Promise<number | null> {
  const reachable = nodes.filter((node) => node.state === 'serving' && !silent.includes(node.id));
  const kept = await Promise.all(reachable.map((node) => ports.databases.logKeptFromMs(databaseOf(cluster, node))));
  const known = kept.filter((fromMs) => fromMs !== null);
  return known.length === 0 ? null : Math.max(...known);
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
  backups: backups(),
});
