import * as z from 'zod';
import { stepPorts } from '../../adapters/ports';
import { leaseSchema } from '../../core/lease/lease';
import { defineStep, type StepPorts } from '../../core/step/define-step';

const inputSchema = z.strictObject({
  /** Null where the execution never had one. */
  lease: leaseSchema.nullable(),
});

/** Gives a lease back. One that was lost or never taken is left alone. */
export const makeStep = (ports: StepPorts) =>
  defineStep(ports, { name: 'release-lease', input: inputSchema, effect: 'changes' }, async ({ lease }) => {
    if (lease !== null) {
      await ports.leases.release(lease);
    }
    return { released: lease !== null };
  });

export const handler = makeStep(stepPorts());
