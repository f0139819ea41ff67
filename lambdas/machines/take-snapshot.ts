import * as z from 'zod';
import { machines, registry, stepPorts } from '../../adapters/ports';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import { nameSchema } from '../../core/cluster/settings';
import { RejoinError } from '../../core/errors';
import { nodeToCopy } from '../../core/node-recovery/node-to-copy';
import type { Machines } from '../../core/ports/machines';
import type { Registry } from '../../core/ports/registry';
import { strategySchema, type Strategy } from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly machines: Pick<Machines, 'takeSnapshot' | 'snapshotState'>;
}

const inputSchema = z.strictObject({
  cluster: nameSchema,
  /** The node that is replaced. */
  nodeId: nameSchema,
  strategy: strategySchema,
  /** The snapshot that was begun; null in the first call. */
  snapshotId: z.string().nullable(),
  /** Which look it is: each is made anew. */
  attempt: z.int().min(0),
});

/** `strategy` is to restore from the snapshot, once it is ready. */
export type SnapshotTaken = Readonly<{ snapshotId: string; ready: boolean; strategy: Strategy; reason: string }>;

/**
 * Begins a snapshot of a living node's volume, where none is new enough to restore from, and looks whether it is there.
 * Called again with what it answered until it is ready. The snapshot stays: it is the newest to restore from.
 *
 * @throws NotFound without a living node; ApiRefused when the snapshot failed
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'take-snapshot', input: inputSchema, effect: 'changes' },
    async ({ cluster, nodeId, strategy, snapshotId: begun }, context): Promise<SnapshotTaken> => {
      const snapshotId = begun ?? (await begin(ports, { cluster, nodeId, token: context.clientToken(nodeId) }));
      const state = await ports.machines.snapshotState(snapshotId);
      if (state === 'failed' || (state === null && begun !== null)) {
        throw new RejoinError(
          'ApiRefused',
          `snapshot ${snapshotId} ${state === null ? 'is gone' : 'failed'}; start the recovery again`,
        );
      }
      const ready = state === 'usable';
      return {
        snapshotId,
        ready,
        strategy: ready ? { ...strategy, kind: 'volume snapshot', snapshotId } : strategy,
        reason: `snapshot ${snapshotId} is ${ready ? 'ready' : 'being made'}`,
      };
    },
  );

async function begin(
  ports: Ports,
  { cluster, nodeId, token }: { readonly cluster: string; readonly nodeId: string; readonly token: string },
): Promise<string> {
  const clusterRegistry = new ClusterRegistry(ports.registry);
  const [nodes, shards] = await Promise.all([clusterRegistry.nodes(cluster), clusterRegistry.shards(cluster)]);
  const source = nodeToCopy(nodes, nodeId, shards[0]?.primary ?? null);
  if (source === null) {
    throw new RejoinError('NotFound', `cluster '${cluster}' has no serving node beside ${nodeId} that could be copied`);
  }
  const order = { cluster, machineId: source.machineId, clientToken: token };
  return (await ports.machines.takeSnapshot(order)).snapshotId;
}

export const handler = makeStep({ ...stepPorts(), registry: registry(), machines: machines() });
