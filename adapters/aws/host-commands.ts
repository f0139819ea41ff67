import {
  type CommandInvocationStatus,
  GetCommandInvocationCommand,
  SendCommandCommand,
  type SSMClient,
} from '@aws-sdk/client-ssm';
import { isRejoinError, RejoinError } from '../../core/errors';
import type { Clock } from '../../core/ports/clock';
import type { HostCommands } from '../../core/ports/surroundings';
import { ask } from './api-error';
import { hostDocumentName } from './host-commands.permissions';

type HostResult = Awaited<ReturnType<HostCommands['result']>>;

/** A command that was just sent is not known everywhere at once. */
const resultTries = 3;
const betweenTriesMs = 300;

/** How long Systems Manager waits for the machine's agent to take the command. */
const deliverySeconds = 60;

const states: Readonly<Record<CommandInvocationStatus, HostResult['state']>> = {
  Pending: 'running',
  InProgress: 'running',
  Delayed: 'running',
  Cancelling: 'running',
  Success: 'succeeded',
  Cancelled: 'failed',
  Failed: 'failed',
  TimedOut: 'failed',
};

/** Systems Manager, with the documents that the deployment brings (lib/constructs/host-documents.ts). */
export class DocumentCommands implements HostCommands {
  constructor(
    private readonly client: SSMClient,
    private readonly clock: Clock,
  ) {}

  async send(order: Parameters<HostCommands['send']>[0]): Promise<{ readonly commandId: string }> {
    const asked = `send command '${order.command}' to machine '${order.machineId}'`;
    const { Command } = await ask(
      asked,
      this.client.send(
        new SendCommandCommand({
          DocumentName: hostDocumentName(order.command),
          InstanceIds: [order.machineId],
          Parameters: Object.fromEntries(Object.entries(order.parameters).map(([name, value]) => [name, [value]])),
          TimeoutSeconds: deliverySeconds,
        }),
      ),
    );
    if (Command?.CommandId === undefined) {
      throw new RejoinError('ApiRefused', `can't ${asked}: Systems Manager answered without a command`);
    }
    return { commandId: Command.CommandId };
  }

  async result(commandId: string, machineId: string): Promise<HostResult> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.resultNow(commandId, machineId);
      } catch (thrown) {
        if (!isRejoinError(thrown, 'NotFound') || tries === resultTries) {
          throw thrown;
        }
        await this.clock.sleep(betweenTriesMs);
      }
    }
  }

  private async resultNow(commandId: string, machineId: string): Promise<HostResult> {
    const { Status, StandardOutputContent, StandardErrorContent } = await ask(
      `read the result of command '${commandId}' on machine '${machineId}'`,
      this.client.send(new GetCommandInvocationCommand({ CommandId: commandId, InstanceId: machineId })),
      { InvocationDoesNotExist: 'NotFound', InvalidCommandId: 'NotFound' },
    );
    return {
      state: Status === undefined ? 'running' : states[Status],
      output: [StandardOutputContent ?? '', StandardErrorContent ?? ''].filter((text) => text !== '').join('\n'),
    };
  }
}
