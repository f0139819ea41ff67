import { systemClock } from '../../adapters/system-clock';
import { systemRandom } from '../../adapters/system-random';
import type { JsonObject } from '../../core/json';
import { LocalExecutions } from '../../local/control/local-executions';
import type { World } from '../../local/states/execution';
import { loadStateMachine, type StateMachine } from '../../local/states/state-machine';
import { answering, describeExecutionsContract, waiting } from './executions';

const nothing = async (): Promise<never> => {
  throw new Error('these machines call nothing');
};
const world: World = {
  clock: systemClock,
  random: systemRandom,
  tasks: { run: nothing },
  objects: { getObject: nothing, listObjects: nothing, putObject: nothing },
};

const load = (name: string, definition: JsonObject): StateMachine =>
  loadStateMachine({
    name: `rejoin-${name}`,
    arn: `arn:aws:states:eu-central-1:123456789012:stateMachine:rejoin-${name}`,
    definition,
  });

describeExecutionsContract('local interpreter', async () => {
  const machines = [load('answering', answering), load('waiting', waiting)];
  const executions = new LocalExecutions(machines, world, { onEnd: () => undefined, onFault: () => undefined });
  return { executions, close: async () => executions.stopAll('the test is over') };
});
