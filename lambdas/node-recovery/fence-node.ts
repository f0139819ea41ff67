import * as z from 'zod';
import { machines, managedDatabases, registry, settings, stepPorts } from '../../adapters/ports';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { NodeItem, Shard } from '../../core/cluster/items';
import { nameSchema, type ClusterSettings } from '../../core/cluster/settings';
import { isRejoinError, RejoinError } from '../../core/errors';
import { leaseSchema } from '../../core/lease/lease';
import { acceptFences } from '../../core/node-recovery/accept-fences';
import { triggerKind, triggerSchema } from '../../core/node-recovery/trigger';
import type { Machines } from '../../core/ports/machines';
import type { ManagedDatabases } from '../../core/ports/managed-databases';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly machines: Pick<Machines, 'observe' | 'stop' | 'quarantine'>;
  readonly managedDatabases: Pick<ManagedDatabases, 'observe' | 'stop' | 'isolate' | 'quarantine'>;
}

const inputSchema = z.strictObject({
  cluster: nameSchema,
  nodeId: nameSchema,
  trigger: triggerSchema,
  reason: z.string(),
  planned: z.boolean(),
  /** `primary elsewhere`: not the node that is replaced, but one whose shards come from a backup with its own. */
  role: z.enum(['replaced', 'primary elsewhere']),
  lease: leaseSchema,
});

const dayMs = 24 * 3_600_000;

/** What agents have fenced already, what is left, and how the machine is being fenced. */
export type Fencing = Readonly<{
  accepted: string[];
  left: string[];
  /** Whether the machine must be proved stopped before what is left is promoted. */
  machineFirst: boolean;
  machineFence: 'stop' | 'quarantine';
  reason: string;
}>;

/**
 * Accepts the fences that followers recorded, and tells the machine to stop. From here on the node counts as silent, and
 * names the execution that replaces it.
 *
 * @throws FenceNotProved when a managed instance can neither be stopped nor put in quarantine; ConditionFailed when a node
 * that is replaced on purpose still owns shards, which its fence would leave with a single copy
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'fence-node', input: inputSchema, effect: 'changes', lease: (input) => input.lease },
    async (input, { run }): Promise<Fencing> => {
      const clusterRegistry = new ClusterRegistry(ports.registry);
      const [cluster, node, shards] = await Promise.all([
        ports.settings.cluster(input.cluster),
        clusterRegistry.node(input.cluster, input.nodeId),
        clusterRegistry.shards(input.cluster),
      ]);
      if (input.planned) {
        requireNothingOwned(input.nodeId, shards);
      }
      if (input.role === 'replaced') {
        await noteDecision(ports, clusterRegistry, input, run.execution);
      }
      const automatic = !input.planned && triggerKind(input.trigger) !== 'manual';
      await markSilent(clusterRegistry, input.cluster, node, {
        builder: input.role === 'replaced' ? run.execution : node.builder,
        replacedAtMs: automatic && input.role === 'replaced' ? ports.clock.nowMs() : null,
      });
      const machineFence =
        node.machineKind === 'ec2' ? await stopMachine(ports, node, cluster) : await stopManaged(ports, node, cluster);
      const plan = acceptFences(input.nodeId, shards, cluster);
      return {
        accepted: plan.accepted.map(({ shard }) => shard),
        left: [...plan.left],
        machineFirst: plan.machineFirst,
        machineFence,
        reason: plan.reason,
      };
    },
  );

function requireNothingOwned(nodeId: string, shards: readonly Shard[]): void {
  const owned = shards.filter((shard) => shard.primary === nodeId || shard.follower === nodeId);
  if (owned.length > 0) {
    throw new RejoinError(
      'ConditionFailed',
      `${nodeId} still owns ${owned.map((shard) => shard.id).join(', ')}, so it is not fenced; start the planned replacement again`,
    );
  }
}

async function noteDecision(
  ports: StepPorts,
  clusterRegistry: ClusterRegistry,
  input: z.infer<typeof inputSchema>,
  by: string,
): Promise<void> {
  const value = {
    epoch: input.lease.epoch,
    by,
    what: `replace ${input.nodeId}`,
    reason: input.reason,
    atMs: ports.clock.nowMs(),
  };
  await clusterRegistry.add(input.cluster, { kind: 'DECISION', value }).catch((thrown: unknown) => {
    // The epoch is this lease's alone: an earlier try of this step wrote it.
    if (!isRejoinError(thrown, 'ConditionFailed')) {
      throw thrown;
    }
  });
}

/** @param marks.replacedAtMs null for a replacement that a person asked for: rule 15 counts automatic ones */
async function markSilent(
  clusterRegistry: ClusterRegistry,
  cluster: string,
  node: NodeItem,
  marks: { readonly builder: string | null; readonly replacedAtMs: number | null },
): Promise<void> {
  if (node.builder === marks.builder && node.state === 'silent') {
    return;
  }
  const recent =
    marks.replacedAtMs === null
      ? node.replacedAtMs
      : [...node.replacedAtMs.filter((atMs) => atMs > (marks.replacedAtMs ?? 0) - dayMs), marks.replacedAtMs];
  const after: NodeItem = { ...node, state: 'silent', builder: marks.builder, replacedAtMs: recent };
  await clusterRegistry.replace(cluster, { kind: 'NODE', value: node }, { kind: 'NODE', value: after });
}

/**
 * Where commits wait for nobody, nothing but its machine keeps an old primary from acknowledging: in the quarantine group it
 * reaches no client either when somebody starts it again.
 */
async function stopMachine(ports: Ports, node: NodeItem, cluster: ClusterSettings): Promise<'stop'> {
  const seen = await ports.machines.observe(node.machineId);
  if (seen === null || seen.state === 'terminated') {
    return 'stop';
  }
  if (cluster.durability === 'asynchronous' && cluster.quarantineGroup !== undefined) {
    await ports.machines.quarantine(node.machineId, cluster.quarantineGroup);
  }
  if (seen.state !== 'stopped') {
    await ports.machines.stop(node.machineId);
  }
  return 'stop';
}

/** Not every managed instance can be stopped: then it is cut off, and its sessions end with a reboot. */
async function stopManaged(ports: Ports, node: NodeItem, cluster: ClusterSettings): Promise<'stop' | 'quarantine'> {
  const seen = await ports.managedDatabases.observe(node.machineId);
  if (seen === null || seen.state === 'stopped' || seen.state === 'stopping' || seen.state === 'deleting') {
    return 'stop';
  }
  await isolate(ports, node, cluster);
  try {
    await ports.managedDatabases.stop(node.machineId);
    return 'stop';
  } catch (thrown) {
    if (!isRejoinError(thrown, 'ApiRefused')) {
      throw thrown;
    }
    if (cluster.quarantineGroup === undefined) {
      throw new RejoinError(
        'FenceNotProved',
        `instance '${node.machineId}' can't be stopped (${thrown.message}), and cluster '${cluster.name}' has no quarantineGroup in rejoin.yaml; fence it by hand, then start again`,
        { cause: thrown },
      );
    }
    await ports.managedDatabases.quarantine(node.machineId, cluster.quarantineGroup);
    return 'quarantine';
  }
}

/**
 * Before it stops, because a stopped instance can't be moved, and RDS starts one again after seven days at the latest. One that
 * can't be moved now can perhaps still be stopped: that is the fence.
 */
async function isolate(ports: Ports, node: NodeItem, cluster: ClusterSettings): Promise<void> {
  if (cluster.quarantineGroup === undefined) {
    return;
  }
  try {
    await ports.managedDatabases.isolate(node.machineId, cluster.quarantineGroup);
  } catch (thrown) {
    if (!isRejoinError(thrown, 'ApiRefused')) {
      throw thrown;
    }
  }
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  machines: machines(),
  managedDatabases: managedDatabases(),
});
