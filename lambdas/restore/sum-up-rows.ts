import * as z from 'zod';
import { backups, stepPorts } from '../../adapters/ports';
import type { Objects } from '../../core/ports/objects';
import { passSummarySchema } from '../../core/restore/convergence';
import { loadNoteOf, sumOfNotes, type LoadNote } from '../../core/restore/load-notes';
import { RunKeys } from '../../core/restore/run-keys';
import { restoreSlotSchema } from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly backups: Objects;
}

const inputSchema = z.strictObject({
  cluster: z.string(),
  execution: z.string(),
  passes: z.array(passSummarySchema),
  slots: z.array(restoreSlotSchema),
  rowsRepaired: z.int(),
  comparedRows: z.int(),
});

/** Adds up what was restored, for the states that follow and for the evidence. */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'sum-up-rows', input: inputSchema, effect: 'reads' }, async (input) => {
    const keys = new RunKeys(input.cluster, input.execution);
    const notes: LoadNote[] = [];
    for await (const { key } of ports.backups.list(keys.loaded)) {
      const note = loadNoteOf(key);
      if (note !== null) {
        notes.push(note);
      }
    }
    const { passes, slots, rowsRepaired, comparedRows } = input;
    return { workKey: keys.work, ...sumOfNotes(notes), passes, rowsRepaired, comparedRows, slots };
  });

export const handler = makeStep({ ...stepPorts(), backups: backups() });
