import * as z from 'zod';
import { databases, executions, registry, settings, stepPorts } from '../../adapters/ports';
import { intoGroups } from '../../core/backup/groups';
import { ClusterRegistry, databaseOf } from '../../core/cluster/cluster-registry';
import type { ClusterSettings } from '../../core/cluster/settings';
import { isRejoinError } from '../../core/errors';
import { nodesOf, type Registered } from '../../core/registration/compare-registered';
import type { NodeSurvey } from '../../core/registration/decide-owners';
import { decideByRegistry, decideRegistration } from '../../core/registration/decide-registration';
import { registrationInputSchema, shardIds, type OwnersInput } from '../../core/registration/owners';
import type { DatabaseAddress, DatabaseEngine } from '../../core/ports/database-engine';
import type { Registry } from '../../core/ports/registry';
import type { Executions, Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly databases: Pick<DatabaseEngine, 'probe' | 'holdings' | 'shards' | 'preflight' | 'standbyState'>;
  readonly executions: Pick<Executions, 'running'>;
}

/** The execution's own input: whoever starts one learns here what is wrong with it. */
const inputSchema = z.strictObject({ asked: registrationInputSchema });

const probeTimeoutMs = 3_000;

/** Asks the registry, and then each node, and decides whether a cluster is registered. Changes nothing. */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'survey-cluster', input: inputSchema, effect: 'reads' },
    async ({ asked: { cluster, owners } }, { run }) => {
      const others = (await ports.executions.running(run.machine)).filter((name) => name !== run.execution);
      if (others.length > 0) {
        const reason = `${others.join(', ')} registers a cluster at the moment; start again when it has ended`;
        return { action: 'refuse', reason, groups: [] };
      }
      const clusterSettings = await ports.settings.cluster(cluster);
      const decision =
        decideByRegistry(clusterSettings, owners, await registered(ports.registry, cluster)) ??
        decideRegistration(clusterSettings, owners, await surveyAll(ports, clusterSettings, owners));
      const { action, reason, shards } = decision;
      return { action, reason, groups: intoGroups(shards).map((group) => [...group]) };
    },
  );

async function registered(registry: Registry, cluster: string): Promise<Registered | null> {
  const clusters = new ClusterRegistry(registry);
  try {
    const meta = await clusters.meta(cluster);
    return { meta, nodes: await clusters.nodes(cluster), shards: await clusters.shards(cluster) };
  } catch (thrown) {
    if (isRejoinError(thrown, 'NotFound')) {
      return null;
    }
    throw thrown;
  }
}

async function surveyAll(ports: Ports, cluster: ClusterSettings, owners: OwnersInput): Promise<readonly NodeSurvey[]> {
  const named = typeof owners === 'string' ? [] : Object.values(owners).flatMap(({ schemas }) => schemas ?? []);
  const schemas = [...shardIds(cluster.shardCount), ...named];
  return Promise.all(
    nodesOf(cluster).map(async (node) => {
      const address = databaseOf(cluster, node);
      const { verdict, detail } = await ports.databases.probe(address, probeTimeoutMs);
      if (verdict !== 'answers') {
        return { ...silent, nodeId: node.id, silence: `${verdict}, ${detail}` };
      }
      return cluster.layout === 'replicated' ? surveyWhole(ports, address) : survey(ports, address, schemas);
    }),
  );
}

const silent = { schemas: [], shards: [], subscriptions: [], replication: null, refused: [] };

/** A node that holds some rows. */
async function survey({ databases }: Ports, address: DatabaseAddress, schemas: readonly string[]): Promise<NodeSurvey> {
  const holdings = await databases.holdings(address, schemas);
  const found = await databases.preflight(
    address,
    holdings.schemas.map(({ schema }) => schema),
  );
  const refused = found
    .filter((peculiarity) => peculiarity.verdict === 'refused')
    .map(({ object, reason, whatToDo }) => `${object}: ${reason}${whatToDo === null ? '' : `; ${whatToDo}`}`);
  const shards = await databases.shards(address);
  return { nodeId: address.nodeId, silence: null, ...holdings, shards, replication: null, refused };
}

/** A node that holds all rows: it is rebuilt by blocks, so that no table's peculiarity matters. */
async function surveyWhole({ databases }: Ports, address: DatabaseAddress): Promise<NodeSurvey> {
  const replication = await databases.standbyState(address);
  const holdings = await databases.holdings(address, 'all');
  const shards = await databases.shards(address);
  return { nodeId: address.nodeId, silence: null, ...holdings, shards, replication, refused: [] };
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  databases: databases(),
  executions: executions(),
});
