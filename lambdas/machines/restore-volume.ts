import * as z from 'zod';
import { hostCommands, stepPorts } from '../../adapters/ports';
import { RejoinError } from '../../core/errors';
import type { HostCommands } from '../../core/ports/surroundings';
import { replacementSchema, strategySchema } from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly hostCommands: HostCommands;
}

/** The server must not run while its files are exchanged. */
const commands = ['stop-database', 'restore-volume', 'start-database'] as const;

const inputSchema = z.strictObject({
  replacement: replacementSchema,
  strategy: strategySchema.extend({ kind: z.literal('volume snapshot'), snapshotId: z.string() }),
  /** What was sent last; null in the first call. */
  sent: z.strictObject({ command: z.enum(commands), commandId: z.string() }).nullable(),
  /** Which look it is: each is made anew. */
  attempt: z.int().min(0),
});

export type VolumeRestore = Readonly<{
  done: boolean;
  sent: z.infer<typeof inputSchema>['sent'];
  reason: string;
}>;

/**
 * Puts the data of a snapshot in the place of the replacement's own, command after command, and starts its server: a
 * standby, whatever the node of the snapshot was. Called again with what it answered until it is done.
 *
 * @throws ApiRefused with what the machine said when a command failed there
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'restore-volume', input: inputSchema, effect: 'changes' },
    async ({ replacement: { machineId }, strategy, sent }): Promise<VolumeRestore> => {
      if (sent !== null) {
        const { state, output } = await ports.hostCommands.result(sent.commandId, machineId);
        if (state === 'failed') {
          throw new RejoinError('ApiRefused', `'${sent.command}' failed on machine '${machineId}': ${output}`);
        }
        if (state === 'running') {
          return { done: false, sent, reason: `'${sent.command}' runs on machine '${machineId}'` };
        }
      }
      const command = commands[sent === null ? 0 : commands.indexOf(sent.command) + 1];
      if (command === undefined) {
        const reason = `machine '${machineId}' runs with the data of snapshot ${strategy.snapshotId}`;
        return { done: true, sent, reason };
      }
      const parameters = command === 'restore-volume' ? { snapshotId: strategy.snapshotId } : {};
      const { commandId } = await ports.hostCommands.send({ machineId, command, parameters });
      return { done: false, sent: { command, commandId }, reason: `'${command}' was sent to machine '${machineId}'` };
    },
  );

export const handler = makeStep({ ...stepPorts(), hostCommands: hostCommands() });
