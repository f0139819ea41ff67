import * as z from 'zod';
import { backups, stepPorts } from '../../adapters/ports';
import { newestFailure } from '../../core/backup/failure-notes';
import type { Objects } from '../../core/ports/objects';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly backups: Objects;
}

const inputSchema = z.strictObject({
  /** Where the items of the map left their notes. */
  folder: z.string().min(1),
  /** What the map said. */
  failure: z.object({ Error: z.string().optional(), Cause: z.string().optional() }),
});

/** Says why a distributed map failed: the error of the item that failed last, or the map's own when none left a note. */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'explain-failure', input: inputSchema, effect: 'reads' }, async ({ folder, failure }) => {
    const note = await newestFailure(ports.backups, folder);
    return note === null
      ? { Error: failure.Error ?? 'Error', Cause: failure.Cause ?? '' }
      : { Error: note.error, Cause: note.message };
  });

export const handler = makeStep({ ...stepPorts(), backups: backups() });
