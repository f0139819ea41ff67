import * as z from 'zod';
import { machines, managedDatabases, prober, registry, settings, stepPorts } from '../../adapters/ports';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { Fence, NodeItem } from '../../core/cluster/items';
import { nameSchema } from '../../core/cluster/settings';
import { proveStopped, type StopSeen } from '../../core/node-recovery/accept-fences';
import type { Machines } from '../../core/ports/machines';
import type { ManagedDatabases } from '../../core/ports/managed-databases';
import type { Registry } from '../../core/ports/registry';
import type { Prober, Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly machines: Pick<Machines, 'observe'>;
  readonly managedDatabases: Pick<ManagedDatabases, 'observe'>;
  readonly prober: Prober;
}

const inputSchema = z.strictObject({
  cluster: nameSchema,
  nodeId: nameSchema,
  machineFence: z.enum(['stop', 'quarantine']),
});

const probeTimeoutMs = 2_000;

export type StopProof = Readonly<{ nodeId: string; proved: boolean; fence: Fence | null; reason: string }>;

/** Asks the machine API and probes of every site whether a machine has stopped (rule 7). Changes nothing. */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'prove-stopped', input: inputSchema, effect: 'reads' },
    async ({ cluster, nodeId, machineFence }): Promise<StopProof> => {
      const clusterSettings = await ports.settings.cluster(cluster);
      const node = await new ClusterRegistry(ports.registry).node(cluster, nodeId);
      const seen =
        node.machineKind === 'ec2'
          ? await observeMachine(ports, node)
          : await observeManaged(ports, node, machineFence);
      const probes = await Promise.all(
        Object.keys(clusterSettings.sites).map(async (fromSite) => ({
          fromSite,
          answer: await ports.prober.probe({
            fromSite,
            host: seen.address ?? node.host,
            port: node.port,
            timeoutMs: probeTimeoutMs,
          }),
        })),
      );
      return { nodeId, ...proveStopped({ stopped: seen.stopped, api: seen.api, probes }, ports.clock.nowMs()) };
    },
  );

type Seen = Pick<StopSeen, 'stopped' | 'api'> & { readonly address: string | null };

async function observeMachine(ports: Ports, node: NodeItem): Promise<Seen> {
  const seen = await ports.machines.observe(node.machineId);
  if (seen === null) {
    return { stopped: true, api: `machine ${node.machineId} does not exist any more`, address: null };
  }
  return {
    stopped: seen.state === 'stopped' || seen.state === 'terminated',
    api: `machine ${node.machineId} is ${seen.state}`,
    address: seen.address,
  };
}

/** One in quarantine goes on running, cut off: it counts when its reboot has ended, which ended its sessions. */
async function observeManaged(ports: Ports, node: NodeItem, fence: 'stop' | 'quarantine'): Promise<Seen> {
  const seen = await ports.managedDatabases.observe(node.machineId);
  if (seen === null) {
    return { stopped: true, api: `instance ${node.machineId} does not exist any more`, address: null };
  }
  const stopped = seen.state === 'stopped' || (fence === 'quarantine' && seen.state === 'available');
  const where = fence === 'quarantine' ? ' in quarantine' : '';
  return { stopped, api: `instance ${node.machineId} is ${seen.state}${where}`, address: seen.host };
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  machines: machines(),
  managedDatabases: managedDatabases(),
  prober: prober(),
});
