import * as z from 'zod';
import { stepPorts } from '../../adapters/ports';
import { nameSchema } from '../../core/cluster/settings';
import { isRejoinError } from '../../core/errors';
import { holderOf, type Lease } from '../../core/lease/lease';
import { defineStep, type StepPorts } from '../../core/step/define-step';

const inputSchema = z.strictObject({
  cluster: nameSchema,
  /** '' is the cluster's own lease. */
  name: z.string(),
  durationSeconds: z.int().min(1).max(3_600),
  /** Makes each try a call of its own: the answer to an earlier one is not its answer. */
  attempt: z.int().min(0),
});

/** `lease` is null while somebody else holds it. */
export type TakenLease = Readonly<{ lease: Lease | null; reason: string }>;

/** Takes a lease, or says who holds it. Taking one that the execution holds already renews it. */
export const makeStep = (ports: StepPorts) =>
  defineStep(
    ports,
    { name: 'take-lease', input: inputSchema, effect: 'changes' },
    async ({ cluster, name, durationSeconds }, { run }): Promise<TakenLease> => {
      try {
        const lease = await ports.leases.take({
          cluster,
          name,
          holder: holderOf(run),
          durationMs: durationSeconds * 1_000,
        });
        return { lease, reason: `epoch ${lease.epoch} is ours for ${durationSeconds} s` };
      } catch (thrown) {
        if (isRejoinError(thrown, 'LeaseHeld')) {
          return { lease: null, reason: thrown.message };
        }
        throw thrown;
      }
    },
  );

export const handler = makeStep(stepPorts());
