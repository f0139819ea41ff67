import * as z from 'zod';
import { databases, machines, managedDatabases, registry, settings, stepPorts } from '../../adapters/ports';
import { ClusterRegistry, databaseOf } from '../../core/cluster/cluster-registry';
import type { NodeItem } from '../../core/cluster/items';
import { judgeNode, type NodeJudgement } from '../../core/node-recovery/judge-node';
import { recoveryInputSchema, triggerWitness } from '../../core/node-recovery/trigger';
import {
  agentWitnesses,
  machineWitness,
  managedWitness,
  opinionSchema,
  type Witness,
} from '../../core/node-recovery/witnesses';
import type { Clock } from '../../core/ports/clock';
import type { DatabaseAddress, DatabaseEngine, DatabaseProbe } from '../../core/ports/database-engine';
import type { Machines } from '../../core/ports/machines';
import type { ManagedDatabases } from '../../core/ports/managed-databases';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly machines: Pick<Machines, 'observe'>;
  readonly managedDatabases: Pick<ManagedDatabases, 'observe'>;
  readonly databases: Pick<DatabaseEngine, 'probe'>;
}

/** The execution's own input: whoever starts one learns here what is wrong with it. */
const inputSchema = z.strictObject({ asked: recoveryInputSchema });

/** An answer settles it; silence has to repeat itself. */
const probeTries = 3;
const probeTimeoutMs = 1_500;
const betweenProbesMs = 500;

export type Confirmation = NodeJudgement & {
  /** The members that did not answer SQL. */
  readonly silent: string[];
};

/** Asks every witness about a node, and every member for an answer over SQL. Changes nothing, so it is safe to repeat. */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'confirm-failure', input: inputSchema, effect: 'reads' },
    async ({ asked: { cluster, nodeId, trigger, planned } }): Promise<Confirmation> => {
      const clusterSettings = await ports.settings.cluster(cluster);
      const nodes = await new ClusterRegistry(ports.registry).nodes(cluster);
      const node = nodes.find((candidate) => candidate.id === nodeId);
      if (node === undefined) {
        return { verdict: 'unknown', reason: `${nodeId} is not a member of ${cluster}`, witnesses: [], silent: [] };
      }
      const members = nodes.filter(
        (candidate) => candidate.id === nodeId || candidate.state === 'serving' || candidate.state === 'silent',
      );
      const [probes, observed] = await Promise.all([
        Promise.all(members.map((member) => probePatiently(ports, databaseOf(clusterSettings, member)))),
        askWitnesses(ports, cluster, node, nodes),
      ]);
      const judgement = judgeNode({
        nodeId,
        trigger: planned ? null : triggerWitness(trigger),
        observed,
        probe: probes[members.indexOf(node)] ?? neverAsked,
        witnessesNeeded: clusterSettings.policy.witnessesNeeded,
      });
      return {
        ...judgement,
        silent: members.filter((_member, index) => probes[index]?.verdict !== 'answers').map((member) => member.id),
      };
    },
  );

const neverAsked: DatabaseProbe = { verdict: 'timed out', detail: 'was not asked', tookMs: 0 };

async function probePatiently(
  ports: { readonly clock: Clock; readonly databases: Pick<DatabaseEngine, 'probe'> },
  address: DatabaseAddress,
): Promise<DatabaseProbe> {
  let probe = await ports.databases.probe(address, probeTimeoutMs);
  for (let tries = 1; tries < probeTries && probe.verdict !== 'answers'; tries += 1) {
    await ports.clock.sleep(betweenProbesMs);
    probe = await ports.databases.probe(address, probeTimeoutMs);
  }
  return probe;
}

async function askWitnesses(
  ports: Ports,
  cluster: string,
  node: NodeItem,
  nodes: readonly NodeItem[],
): Promise<readonly Witness[]> {
  const [items, machine] = await Promise.all([
    ports.registry.list(`CLUSTER#${cluster}`, 'OPINION#'),
    node.machineKind === 'ec2'
      ? ports.machines.observe(node.machineId).then(machineWitness)
      : ports.managedDatabases.observe(node.machineId).then(managedWitness),
  ]);
  const opinions = items.map((item) => opinionSchema.parse(item.value));
  const siteOf = new Map(nodes.map((member) => [member.id, member.site]));
  return [...agentWitnesses(opinions, { nodeId: node.id, site: node.site }, siteOf, ports.clock.nowMs()), machine];
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  machines: machines(),
  managedDatabases: managedDatabases(),
  databases: databases(),
});
