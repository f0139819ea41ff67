import * as z from 'zod';
import { settings, stepPorts } from '../../adapters/ports';
import { RejoinError } from '../../core/errors';
import type { Settings } from '../../core/ports/surroundings';
import {
  decideNextPass,
  passesRemembered,
  passSummarySchema,
  shardPassSchema,
  summarizePass,
} from '../../core/restore/convergence';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly settings: Settings;
}

const inputSchema = z.strictObject({
  cluster: z.string(),
  /** The pass that has just ended, shard by shard. */
  measured: z.array(shardPassSchema).min(1),
  /** The passes before it that the decision still needs, oldest first. */
  history: z.array(z.array(shardPassSchema)),
  /** All passes of the execution before it, in one line each. */
  passes: z.array(passSummarySchema),
  /** How many passes there were when this series began: a comparison or a restart begins a new one. */
  seriesFrom: z.int().min(0),
});

/**
 * Decides whether the passes have brought all shards close enough, or another one follows.
 *
 * @throws NotConverging naming the shard and both rates
 */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'measure-passes', input: inputSchema, effect: 'reads' }, async (input) => {
    const { policy } = await ports.settings.cluster(input.cluster);
    const history = [...input.history, input.measured].slice(-passesRemembered);
    const passes = [...input.passes, summarizePass(input.passes.length + 1, input.measured)];
    const decision = decideNextPass(history, passes.length - input.seriesFrom, policy);
    if (decision.action === 'not converging') {
      throw new RejoinError('NotConverging', decision.reason);
    }
    return { ...decision, history, passes };
  });

export const handler = makeStep({ ...stepPorts(), settings: settings() });
