import * as z from 'zod';
import { clock, executions, registry } from '../../adapters/ports';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { NodeItem } from '../../core/cluster/items';
import { RejoinError } from '../../core/errors';
import type { Clock } from '../../core/ports/clock';
import type { Registry } from '../../core/ports/registry';
import type { Executions } from '../../core/ports/surroundings';
import { decideStart } from '../../core/starter/decide-start';
import type { Occasion } from '../../core/starter/occasion';
import { occasionOf, readStarterEvent } from '../../core/starter/occasion';

interface Ports {
  readonly clock: Clock;
  readonly registry: Pick<Registry, 'list' | 'read' | 'write'>;
  readonly executions: Pick<Executions, 'start'>;
  /** The names of all clusters. */
  readonly clusters: readonly string[];
}

/** What came of an event, for the log. */
export interface StarterAnswer {
  readonly machine: string | null;
  readonly execution: string | null;
  readonly started: boolean;
  readonly reason: string;
}

/**
 * The one way by which alarms, events, schedules and people reach a state machine. Called twice with the same event, it
 * starts once: the name of the execution says what it is about, and stays taken.
 *
 * @throws InvalidInput when the event is none that it knows; NotFound for a cluster that is none
 */
export const makeStarter =
  (ports: Ports) =>
  async (event: unknown): Promise<StarterAnswer> => {
    const occasion = occasionOf(readStarterEvent(event));
    checkWish(occasion, ports.clusters);
    const decision = decideStart({ occasion, nodes: await nodesFor(ports, occasion), nowMs: ports.clock.nowMs() });
    if (decision.action === 'none') {
      return { machine: null, execution: null, started: false, reason: decision.reason };
    }
    const { machine, name, input } = decision;
    const { started } = await ports.executions.start({ machine, name, input });
    const reason = started ? `started for ${occasion.kind}` : 'this occasion already has its execution';
    return { machine, execution: name, started, reason };
  };

/** What people and schedules ask for must be there: nobody reads an execution that they think has started. @throws NotFound */
function checkWish(occasion: Occasion, clusters: readonly string[]): void {
  if ((occasion.kind === 'manual' || occasion.kind === 'schedule') && !clusters.includes(occasion.cluster)) {
    throw new RejoinError(
      'NotFound',
      `rejoin.yaml has no cluster '${occasion.cluster}' (clusters: ${clusters.join(', ') || 'none'}); check 'cluster' in the event`,
    );
  }
}

/** Only alarms and machine events need to be told which node they are about. */
async function nodesFor(ports: Ports, occasion: Occasion): Promise<{ cluster: string; node: NodeItem }[]> {
  if (occasion.kind !== 'alarm' && occasion.kind !== 'machine alarm' && occasion.kind !== 'machine') {
    return [];
  }
  const clusters = occasion.kind === 'machine' ? ports.clusters : [occasion.cluster];
  const reader = new ClusterRegistry(ports.registry);
  const lists = await Promise.all(
    clusters.map(async (cluster) => (await reader.nodes(cluster)).map((node) => ({ cluster, node }))),
  );
  return lists.flat();
}

const clusterNamesSchema = z.array(z.string());

export const handler = async (event: unknown): Promise<StarterAnswer> => {
  const clusters = clusterNamesSchema.parse(JSON.parse(process.env['REJOIN_CLUSTERS'] ?? '[]'));
  const answer = await makeStarter({ clock: clock(), registry: registry(), executions: executions(), clusters })(event);
  console.log(JSON.stringify(answer));
  return answer;
};
