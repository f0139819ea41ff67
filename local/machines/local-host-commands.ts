import type { HostCommands } from '../../core/ports/surroundings';
import { messageOf, RejoinError } from '../../core/errors';
import type { Machines } from '../../core/ports/machines';
import type { Machine } from './machine';
import type { MachineRoom } from './machine-room';

type HostOrder = Parameters<HostCommands['send']>[0];
type HostResult = Awaited<ReturnType<HostCommands['result']>>;

/** Systems Manager on this computer. `restore-volume` takes `snapshotId`; the database must be stopped, and is a standby when it starts. */
export class LocalHostCommands implements HostCommands {
  private readonly sent = new Map<string, { readonly machineId: string; result: HostResult }>();

  constructor(
    private readonly room: MachineRoom,
    private readonly machines: Pick<Machines, 'observe'>,
  ) {}

  async send(order: HostOrder): Promise<{ readonly commandId: string }> {
    const seen = await this.machines.observe(order.machineId);
    if (seen?.state !== 'running') {
      throw new RejoinError(
        'ApiRefused',
        `machine '${order.machineId}' is ${seen?.state ?? 'unknown'}; commands run on running machines only`,
      );
    }
    const machine = this.room.machine(order.machineId);
    const commandId = `command-${this.sent.size + 1}`;
    const entry: { readonly machineId: string; result: HostResult } = {
      machineId: order.machineId,
      result: { state: 'running', output: '' },
    };
    this.sent.set(commandId, entry);
    void this.run(machine, order).then(
      (output) => {
        entry.result = { state: 'succeeded', output };
      },
      (thrown: unknown) => {
        entry.result = { state: 'failed', output: messageOf(thrown) };
      },
    );
    return { commandId };
  }

  async result(commandId: string, machineId: string): Promise<HostResult> {
    const entry = this.sent.get(commandId);
    if (entry?.machineId !== machineId) {
      throw new RejoinError('NotFound', `no command '${commandId}' was sent to machine '${machineId}'`);
    }
    return entry.result;
  }

  private async run(machine: Machine, { command, parameters }: HostOrder): Promise<string> {
    switch (command) {
      case 'stop-database':
        await machine.stopDatabase();
        return 'the database is stopped';
      case 'start-database':
        await machine.startDatabase();
        return 'the database takes connections';
      case 'restore-volume': {
        const { directory, snapshotId } = this.room.snapshot(parameters['snapshotId'] ?? '');
        const { attachedSnapshot, machineId } = machine.facts;
        if (attachedSnapshot !== snapshotId) {
          throw new RejoinError(
            'ApiRefused',
            `there is no volume of ${snapshotId} on '${machineId}': the machine was launched with ${attachedSnapshot ?? 'none'}`,
          );
        }
        await machine.refill(directory);
        return `the volume is as in ${snapshotId}`;
      }
    }
  }
}
