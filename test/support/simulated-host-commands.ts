import { RejoinError } from '../../core/errors';
import type { HostCommands } from '../../core/ports/surroundings';
import type { SimulatedServer, SimulatedServers } from './simulated-server';

type HostOrder = Parameters<HostCommands['send']>[0];

/** The management agents of a simulated world's machines: a command is done as soon as it was asked after twice. */
export class SimulatedHostCommands implements HostCommands {
  /** What was sent, in order: `restore-volume i-0123`. */
  readonly sent: string[] = [];
  /** The command that fails on its machine; null: none. */
  failing: HostOrder['command'] | null = null;
  private readonly asked = new Map<string, number>();

  constructor(
    private readonly servers: SimulatedServers,
    private readonly addressOf: (machineId: string) => Promise<string>,
    private readonly snapshots: ReadonlyMap<string, SimulatedServer>,
  ) {}

  async send({ machineId, command, parameters }: HostOrder): Promise<{ readonly commandId: string }> {
    const address = await this.addressOf(machineId);
    if (command === 'stop-database') {
      this.servers.kill(address);
    } else if (command === 'start-database') {
      this.servers.start(address);
    } else {
      this.restore(address, parameters['snapshotId'] ?? '');
    }
    this.sent.push(`${command} ${machineId}`);
    return { commandId: `${command}#${this.sent.length}` };
  }

  async result(commandId: string): Promise<Awaited<ReturnType<HostCommands['result']>>> {
    const times = (this.asked.get(commandId) ?? 0) + 1;
    this.asked.set(commandId, times);
    const fails = commandId.startsWith(`${this.failing ?? 'none'}#`);
    return { state: times < 2 ? 'running' : fails ? 'failed' : 'succeeded', output: fails ? 'there is no device' : '' };
  }

  private restore(address: string, snapshotId: string): void {
    const snapshot = this.snapshots.get(snapshotId);
    if (snapshot === undefined || this.servers.at(address)?.answers === true) {
      throw new RejoinError('ApiRefused', `there is no snapshot '${snapshotId}', or the database runs`);
    }
    this.servers.restoreStandby(address, snapshot);
    this.servers.kill(address);
  }
}
