import * as z from 'zod';
import { stepPorts } from '../../adapters/ports';
import { RejoinError } from '../../core/errors';
import { decideAfterComparison } from '../../core/restore/after-comparison';
import { comparisonSchema } from '../../core/restore/unequal';
import { defineStep, type StepPorts } from '../../core/step/define-step';

const inputSchema = z.strictObject({
  round: z.int().min(1),
  compared: z.array(comparisonSchema),
});

/**
 * Decides what a comparison of all shards means.
 *
 * @throws NotProved when the rounds of repair are used up
 */
export const makeStep = (ports: StepPorts) =>
  defineStep(ports, { name: 'judge-comparison', input: inputSchema, effect: 'reads' }, async (input) => {
    const decision = decideAfterComparison(input.compared, input.round);
    if (decision.action === 'give up') {
      throw new RejoinError('NotProved', decision.reason);
    }
    return decision;
  });

export const handler = makeStep(stepPorts());
