import { setTimeout as delay } from 'node:timers/promises';
import type { NodeItem } from '../../../core/cluster/items';
import { RejoinError } from '../../../core/errors';
import type { Check } from '../../../core/evidence/evidence';
import type { JsonObject } from '../../../core/json';
import type { Execution } from '../../states/execution';
import { callStarter, executionsSince } from '../deployed';
import type { RehearsalReport } from '../report';
import type { Fault } from '../scenario';
import type { CheckedServer } from './content';
import { clusterName, type World } from './world';

export interface FaultContext {
  readonly world: World;
  /** The node that the fault is about. */
  readonly victim: NodeItem;
  readonly seed: number;
  readonly say: (line: string) => void;
  /** Something that this fault alone makes sure of. */
  readonly check: (check: Check) => void;
  /** A shard of which everything that was acknowledged after a moment may be missing, and nothing from before it. */
  readonly mayLack: (shard: string, afterMs: number) => void;
}

/** Something that goes wrong, and what a recovery is expected to make of it. */
export interface NodeFault extends Fault {
  readonly expectedOutcome: RehearsalReport['outcome'];
  /** What the reason must say. */
  readonly expectedReason?: RegExp;
  /** Figures of the evidence, by name, that show that the fault was met. */
  readonly expectedFigures?: Readonly<Record<string, number>>;
  /** False where the cluster is meant to be left with single copies: then only what was acknowledged and who writes is checked. */
  readonly whole: boolean;
  /** Whether there is a snapshot that a node on RDS, or one that holds all rows, can be restored from. @default true */
  readonly hasSnapshot?: boolean;
  /** Only where nothing dies: the longest that any shard may go without an acknowledged write. */
  readonly longestGapMs?: number;
  /** The node that it is about. @default the one that the data name */
  victim?(nodes: readonly NodeItem[], seed: number): NodeItem | undefined;
  /** Before anything is killed. */
  begin(context: FaultContext): Promise<void>;
  /** What goes wrong besides, while the execution runs. */
  during?(context: FaultContext, execution: string): Promise<void>;
  /** What somebody starts when the execution has ended; it is judged in its place. */
  followUp?(context: FaultContext): Promise<Execution>;
  /** When the execution has ended, while the load still runs. */
  after?(context: FaultContext): Promise<void>;
}

export async function kill({ world, victim, say }: FaultContext): Promise<void> {
  say(`kills ${victim.id} and deletes its data`);
  await world.room.machine(victim.machineId).kill({ deleteData: true });
}

/** Starts a recovery as a person does. @param more what the person asks for besides */
export async function startByHand({ world, victim }: FaultContext, more: JsonObject = {}): Promise<void> {
  await callStarter(world.cloud, {
    trigger: 'manual',
    machine: 'node-recovery',
    cluster: clusterName,
    nodeId: victim.id,
    ...more,
  });
}

export function checkedServer(world: World, node: NodeItem): CheckedServer {
  return {
    nodeId: node.id,
    host: world.room.machine(node.machineId).facts.address,
    port: node.port,
    database: world.settings.database,
    administrator: world.administrator,
  };
}

/**
 * Resolves once a recovery has entered a state. Several may have been started, of which one does the work.
 *
 * @throws NotFound when none is running any more that could still enter it
 */
export async function untilVisited(world: World, state: string): Promise<void> {
  await untilTrue(`'${state}' is entered`, async () => {
    const executions = executionsSince(world.cloud, 'node-recovery', 0);
    const goesOn = executions.some(({ status }) => status === 'RUNNING');
    const visits = await Promise.all(
      executions.map(({ name }) => world.cloud.executions.visits('node-recovery', name)),
    );
    if (visits.flat().some((visit) => visit.state === state)) {
      return true;
    }
    if (!goesOn && executions.length > 0) {
      throw new RejoinError('NotFound', `the recovery ended without entering '${state}'`);
    }
    return false;
  });
}

const waitLimitMs = 10 * 60_000;

export async function untilTrue(what: string, ask: () => Promise<boolean>): Promise<void> {
  const endMs = Date.now() + waitLimitMs;
  while (Date.now() < endMs) {
    if (await ask()) {
      return;
    }
    await delay(50);
  }
  throw new RejoinError('NotFound', `waited ${waitLimitMs / 60_000} min in vain: ${what}`);
}
