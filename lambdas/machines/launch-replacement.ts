import * as z from 'zod';
import { machines, managedDatabases, registry, settings, statusAlarms, stepPorts } from '../../adapters/ports';
import { refusal } from '../../core/alarms/refusal';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { NodeItem } from '../../core/cluster/items';
import { nameSchema, type ClusterSettings } from '../../core/cluster/settings';
import { isRejoinError, RejoinError } from '../../core/errors';
import { baseId, launchSites, replacementHost, replacementId } from '../../core/node-recovery/replacement';
import type { Machines } from '../../core/ports/machines';
import type { ManagedDatabases } from '../../core/ports/managed-databases';
import type { Registry } from '../../core/ports/registry';
import type { StatusAlarms } from '../../core/ports/status-alarms';
import type { Settings } from '../../core/ports/surroundings';
import { strategySchema, type Replacement, type Strategy } from '../../core/restore/work-order';
import { defineStep, type StepContext, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly machines: Pick<Machines, 'launch'>;
  readonly managedDatabases: Pick<ManagedDatabases, 'create'>;
  readonly statusAlarms: Pick<StatusAlarms, 'put'>;
}

const inputSchema = z.strictObject({
  cluster: nameSchema,
  nodeId: nameSchema,
  strategy: strategySchema,
  /** 0 for the first site, 1 for the next one. */
  attempt: z.int().min(0),
});

/** `replacement` is null where the site has no capacity. */
export type Launch = Readonly<{ replacement: Replacement | null; reason: string }>;

/**
 * Launches the machine of a node's replacement, enters it in the registry with the execution that builds it, and has the
 * machine API's checks watched: the deployed alarms know the first machines only. A repeated call finds the machine that
 * it launched: by client token, or by the instance's name.
 *
 * @throws CapacityShort when no site is left to try
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'launch-replacement', input: inputSchema, effect: 'changes' },
    async ({ cluster, nodeId, strategy, attempt }, context): Promise<Launch> => {
      const clusterRegistry = new ClusterRegistry(ports.registry);
      const [clusterSettings, nodes, failed] = await Promise.all([
        ports.settings.cluster(cluster),
        clusterRegistry.nodes(cluster),
        clusterRegistry.node(cluster, nodeId),
      ]);
      const earlier = nodes.find(
        (node) =>
          node.builder === context.run.execution && node.state === 'building' && baseId(node.id) === baseId(nodeId),
      );
      if (earlier !== undefined) {
        const unwatched = await watch(ports, cluster, earlier);
        return {
          replacement: replacementOf(earlier),
          reason: `${earlier.id} was launched in ${earlier.site}${unwatched}`,
        };
      }
      const sites = launchSites(failed, Object.keys(clusterSettings.sites), nodes);
      const site = sites[attempt];
      if (site === undefined) {
        throw new RejoinError('CapacityShort', `no capacity for ${nodeId}'s replacement in ${sites.join(', ')}`);
      }
      const id = replacementId(
        nodeId,
        nodes.map((node) => node.id),
      );
      try {
        const machineId = await launch(ports, { clusterSettings, failed, id, site, strategy, context });
        const node: NodeItem = {
          id,
          site,
          machineKind: failed.machineKind,
          machineId,
          host: replacementHost(failed.host, id),
          port: failed.port,
          state: 'building',
          builder: context.run.execution,
          replacedAtMs: [],
        };
        await clusterRegistry.add(cluster, { kind: 'NODE', value: node });
        const unwatched = await watch(ports, cluster, node);
        return {
          replacement: replacementOf(node),
          reason: `${id} was launched in ${site} as ${machineId}${unwatched}`,
        };
      } catch (thrown) {
        if (isRejoinError(thrown, 'CapacityShort')) {
          return { replacement: null, reason: thrown.message };
        }
        throw thrown;
      }
    },
  );

interface Order {
  readonly clusterSettings: ClusterSettings;
  readonly failed: NodeItem;
  readonly id: string;
  readonly site: string;
  readonly strategy: Strategy;
  readonly context: StepContext;
}

async function launch(ports: Ports, order: Order): Promise<string> {
  const { clusterSettings, failed, id, site, strategy, context } = order;
  if (failed.machineKind === 'ec2') {
    const launched = await ports.machines.launch({
      cluster: clusterSettings.name,
      nodeId: id,
      site,
      clientToken: context.clientToken(`${id}/${site}`),
      launchTemplate: clusterSettings.launchTemplate ?? null,
      volumeSnapshot: strategy.kind === 'volume snapshot' ? strategy.snapshotId : null,
    });
    return launched.machineId;
  }
  if (clusterSettings.quarantineGroup === undefined) {
    throw new RejoinError(
      'InvalidSettings',
      `cluster '${clusterSettings.name}' has RDS nodes but no quarantineGroup in rejoin.yaml; a restored instance would serve old rows`,
    );
  }
  const created = await ports.managedDatabases.create({
    cluster: clusterSettings.name,
    nodeId: id,
    site,
    instanceIdentifier: `${clusterSettings.name}-${id}`,
    like: failed.machineId,
    snapshotId: strategy.kind === 'rds snapshot' ? strategy.snapshotId : null,
    quarantineGroup: clusterSettings.quarantineGroup,
  });
  return created.instanceIdentifier;
}

/** @returns what the reason says where its checks can't be watched. RDS announces failures of its instances by itself. */
async function watch(ports: Ports, cluster: string, { id, machineKind, machineId }: NodeItem): Promise<string> {
  if (machineKind !== 'ec2') {
    return '';
  }
  const refused = await refusal(ports.statusAlarms.put({ cluster, nodeId: id, machineId }));
  return refused === null ? '' : `; nothing watches its status checks (${refused})`;
}

function replacementOf(node: NodeItem): Replacement {
  return {
    nodeId: node.id,
    machineId: node.machineId,
    machineKind: node.machineKind,
    host: node.host,
    port: node.port,
  };
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  machines: machines(),
  managedDatabases: managedDatabases(),
  statusAlarms: statusAlarms(),
});
