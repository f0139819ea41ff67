import * as z from 'zod';
import { executions, stepPorts } from '../../adapters/ports';
import { nameSchema } from '../../core/cluster/settings';
import type { Executions } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly executions: Pick<Executions, 'start'>;
}

const inputSchema = z.strictObject({ cluster: nameSchema });

/** Step Functions takes no longer name. */
const longestName = 80;

/**
 * Starts a full backup and does not wait for it: a promotion has ended the chain of segments of each shard of the failed
 * node (rule 10). Started once for each recovery, because its name is the recovery's.
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'start-full-backup', input: inputSchema, effect: 'changes' },
    async ({ cluster }, { run }) => {
      const name = `after-${run.execution}`.slice(0, longestName);
      const { started } = await ports.executions.start({ machine: 'full-backup', name, input: { cluster } });
      return { execution: name, reason: started ? `full backup ${name} is under way` : `${name} was started before` };
    },
  );

export const handler = makeStep({ ...stepPorts(), executions: executions() });
