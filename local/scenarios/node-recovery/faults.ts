import type { NodeItem } from '../../../core/cluster/items';
import type { RehearsalReport } from '../report';
import type { Fault } from '../scenario';
import type { World } from './world';

export interface FaultContext {
  readonly world: World;
  /** The node that the fault is about. */
  readonly victim: NodeItem;
  readonly say: (line: string) => void;
}

/** Something that goes wrong, and what a recovery is expected to make of it. */
export interface NodeFault extends Fault {
  readonly expectedOutcome: RehearsalReport['outcome'];
  /** Whether an execution must begin. */
  readonly expectsExecution: boolean;
  begin(context: FaultContext): Promise<void>;
  /** What goes wrong besides, while the execution runs. */
  during?(context: FaultContext, execution: string): Promise<void>;
  /** Once the recovery has ended and the load has stopped. */
  after?(context: FaultContext): Promise<void>;
}

async function kill({ world, victim, say }: FaultContext): Promise<void> {
  say(`kills ${victim.id} and deletes its data`);
  await world.room.machine(victim.machineId).kill({ deleteData: true });
}

/** The first is the default. */
export const faults: readonly NodeFault[] = [
  {
    name: 'kill',
    summary: 'every process of a node is killed and its data deleted',
    expectedOutcome: 'recovered',
    expectsExecution: true,
    begin: kill,
  },
];
