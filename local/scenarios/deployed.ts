import { setTimeout as delay } from 'node:timers/promises';
import { RejoinError } from '../../core/errors';
import type { Json, JsonObject } from '../../core/json';
import type { LocalCloud } from '../control/local-cloud';
import type { Execution } from '../states/execution';

const startLimitMs = 60_000;

/** The executions of a workflow that began at or after a moment, oldest first. */
export function executionsSince(cloud: LocalCloud, workflow: string, sinceMs: number): readonly Execution[] {
  return cloud.executions
    .all()
    .filter(
      (execution) => execution.stateMachineArn.endsWith(`:rejoin-${workflow}`) && execution.startedAtMs >= sinceMs,
    );
}

/** Does what a workflow's schedule does when its time has come; resolves with the execution that it starts. */
export async function fireSchedule(cloud: LocalCloud, workflow: string, cluster: string): Promise<Execution> {
  const firedAtMs = Date.now();
  cloud.events.fireSchedule(`Starts ${workflow} for cluster ${cluster}`);
  return nextExecution(cloud, workflow, firedAtMs);
}

/** The first execution that begins at or after a moment. @throws NotFound when there is none within a minute */
export async function nextExecution(cloud: LocalCloud, workflow: string, sinceMs: number): Promise<Execution> {
  const limitMs = Date.now() + startLimitMs;
  while (Date.now() < limitMs) {
    const [first] = executionsSince(cloud, workflow, sinceMs);
    if (first !== undefined) {
      return first;
    }
    await delay(50);
  }
  throw new RejoinError('NotFound', `no execution of ${workflow} was started within ${startLimitMs / 1_000} s`);
}

/** Calls the starter as a person does. */
export async function callStarter(cloud: LocalCloud, event: JsonObject): Promise<Json> {
  const starter = cloud.app.functions.find((candidate) => candidate.entryFile.endsWith('starter/start-execution.ts'));
  if (starter === undefined) {
    throw new RejoinError('NotFound', 'no starter is deployed');
  }
  return cloud.functions.invoke(starter.name, event);
}

/** The names of all states of a workflow that call a step, those inside maps included. */
export function taskStates(cloud: LocalCloud, workflow: string): readonly string[] {
  const machine = cloud.app.machines.find((candidate) => candidate.name === `rejoin-${workflow}`);
  const found: string[] = [];
  const walk = (value: Json): void => {
    if (Array.isArray(value)) {
      value.forEach(walk);
    } else if (value !== null && typeof value === 'object') {
      const { States: states } = value as { readonly States?: JsonObject };
      for (const [name, state] of Object.entries(states ?? {})) {
        if ((state as JsonObject)['Type'] === 'Task') {
          found.push(name);
        }
      }
      Object.values(value).forEach(walk);
    }
  };
  walk(machine?.definition ?? null);
  return found;
}
