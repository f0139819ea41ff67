import { isDeepStrictEqual } from 'node:util';
import { RejoinError } from '../../core/errors';
import type { Clock } from '../../core/ports/clock';
import type {
  LaunchOrder,
  MachineObservation,
  Machines,
  MachineState,
  SnapshotOrder,
  SnapshotState,
} from '../../core/ports/machines';

interface Machine {
  readonly machineId: string;
  readonly order: Omit<LaunchOrder, 'clientToken'>;
  readonly address: string;
  state: MachineState;
  /** When the state that it is in leads to the next one. */
  turnsAtMs: number;
  runningSinceMs: number | null;
  quarantined: boolean;
  hangs: boolean;
}

export interface MachinesOptions {
  readonly sites: readonly string[];
  readonly bootMs: number;
  readonly stopMs: number;
  readonly healthReportMs: number;
  /** From the order until a snapshot can be used. @default 0 */
  readonly snapshotMs?: number;
}

/** Machines of a simulated world, which boot and stop in their time. Passes test/contract/machines.ts. */
export class SimulatedMachines implements Machines {
  private readonly machines = new Map<string, Machine>();
  private readonly tokens = new Map<string, string>();
  private readonly snapshots: {
    readonly snapshotId: string;
    readonly takenAtMs: number;
    readonly machineId: string;
  }[] = [];
  private readonly snapshotTokens = new Map<string, string>();
  private readonly exhausted = new Set<string>();

  /**
   * @param onRunning called when a machine has booted, with its address
   * @param onSnapshot called when a snapshot is taken, with the address of its machine
   */
  constructor(
    private readonly clock: Clock,
    private readonly options: MachinesOptions,
    private readonly onRunning: (machine: { readonly address: string; readonly nodeId: string }) => void = () =>
      undefined,
    private readonly onEnd: (address: string) => void = () => undefined,
    private readonly onSnapshot: (snapshot: { readonly snapshotId: string; readonly address: string }) => void = () =>
      undefined,
  ) {}

  async observe(machineId: string): Promise<MachineObservation | null> {
    const machine = this.now(machineId);
    return machine === null ? null : this.seen(machine);
  }

  async list(cluster: string): Promise<readonly MachineObservation[]> {
    return [...this.machines.keys()]
      .map((machineId) => this.now(machineId))
      .filter((machine) => machine?.order.cluster === cluster && machine.state !== 'terminated')
      .flatMap((machine) => (machine === null ? [] : [this.seen(machine)]));
  }

  async launch({ clientToken, ...order }: LaunchOrder): Promise<MachineObservation> {
    const earlier = this.machines.get(this.tokens.get(clientToken) ?? '');
    if (earlier !== undefined) {
      if (!isDeepStrictEqual(earlier.order, order)) {
        throw new RejoinError('ApiRefused', `token '${clientToken}' has launched another machine`);
      }
      return this.seen(earlier);
    }
    if (!this.options.sites.includes(order.site)) {
      throw new RejoinError('ApiRefused', `there is no site '${order.site}'`);
    }
    if (this.exhausted.has(order.site)) {
      throw new RejoinError('CapacityShort', `site '${order.site}' has no capacity`);
    }
    if (order.volumeSnapshot !== null && !this.snapshots.some((each) => each.snapshotId === order.volumeSnapshot)) {
      throw new RejoinError('ApiRefused', `there is no snapshot '${order.volumeSnapshot}'`);
    }
    const number = this.machines.size + 1;
    const machine: Machine = {
      machineId: `i-${String(number).padStart(17, '0')}`,
      order,
      address: `10.0.0.${number}`,
      state: 'starting',
      turnsAtMs: this.clock.nowMs() + this.options.bootMs,
      runningSinceMs: null,
      quarantined: false,
      hangs: false,
    };
    this.machines.set(machine.machineId, machine);
    this.tokens.set(clientToken, machine.machineId);
    return this.seen(machine);
  }

  async stop(machineId: string): Promise<void> {
    const machine = this.now(machineId);
    if (machine === null) {
      throw new RejoinError('NotFound', `there is no machine '${machineId}'`);
    }
    if (machine.state === 'running' || machine.state === 'starting') {
      machine.state = 'stopping';
      machine.turnsAtMs = this.clock.nowMs() + this.options.stopMs;
    }
  }

  async quarantine(machineId: string): Promise<void> {
    const machine = this.now(machineId);
    if (machine !== null) {
      machine.quarantined = true;
    }
  }

  async terminate(machineId: string): Promise<void> {
    const machine = this.now(machineId);
    if (machine !== null && machine.state !== 'terminated') {
      machine.state = 'terminated';
      this.onEnd(machine.address);
    }
  }

  async newestSnapshot(cluster: string) {
    const newest = this.snapshots.findLast(
      (each) => this.machines.get(each.machineId)?.order.cluster === cluster && this.usable(each),
    );
    return newest === undefined
      ? null
      : {
          snapshotId: newest.snapshotId,
          takenAtMs: newest.takenAtMs,
          nodeId: this.machines.get(newest.machineId)?.order.nodeId ?? '',
        };
  }

  async takeSnapshot(order: SnapshotOrder): Promise<{ readonly snapshotId: string }> {
    const earlier = this.snapshotTokens.get(order.clientToken);
    if (earlier !== undefined) {
      return { snapshotId: earlier };
    }
    const machine = this.now(order.machineId);
    if (machine === null || machine.state === 'terminated') {
      throw new RejoinError('NotFound', `there is no machine '${order.machineId}'`);
    }
    if (machine.order.cluster !== order.cluster) {
      throw new RejoinError('ApiRefused', `machine '${order.machineId}' is not of cluster '${order.cluster}'`);
    }
    const snapshotId = this.snapshot(order.machineId);
    this.snapshotTokens.set(order.clientToken, snapshotId);
    return { snapshotId };
  }

  async snapshotState(snapshotId: string): Promise<SnapshotState | null> {
    const found = this.snapshots.find((each) => each.snapshotId === snapshotId);
    return found === undefined ? null : this.usable(found) ? 'usable' : 'pending';
  }

  exhaust(site: string): void {
    this.exhausted.add(site);
  }

  snapshot(machineId: string): string {
    const snapshotId = `snap-${this.snapshots.length + 1}`;
    this.snapshots.push({ snapshotId, takenAtMs: this.clock.nowMs(), machineId });
    this.onSnapshot({ snapshotId, address: this.machines.get(machineId)?.address ?? '' });
    return snapshotId;
  }

  isolated(machineId: string): boolean {
    return this.machines.get(machineId)?.quarantined ?? false;
  }

  /** Keeps a machine from stopping, whatever it is told. */
  hang(machineId: string): void {
    const machine = this.machines.get(machineId);
    if (machine !== undefined) {
      machine.hangs = true;
    }
  }

  private usable(snapshot: { readonly takenAtMs: number }): boolean {
    return this.clock.nowMs() >= snapshot.takenAtMs + (this.options.snapshotMs ?? 0);
  }

  /** The machine as it is by now. */
  private now(machineId: string): Machine | null {
    const machine = this.machines.get(machineId);
    if (machine === undefined) {
      return null;
    }
    if (this.clock.nowMs() >= machine.turnsAtMs && machine.state === 'starting') {
      machine.state = 'running';
      machine.runningSinceMs = machine.turnsAtMs;
      this.onRunning({ address: machine.address, nodeId: machine.order.nodeId });
    }
    if (this.clock.nowMs() >= machine.turnsAtMs && machine.state === 'stopping' && !machine.hangs) {
      machine.state = 'stopped';
      this.onEnd(machine.address);
    }
    return machine;
  }

  private seen(machine: Machine): MachineObservation {
    const reportedAtMs = (machine.runningSinceMs ?? Number.POSITIVE_INFINITY) + this.options.healthReportMs;
    return {
      machineId: machine.machineId,
      state: machine.state,
      healthy: machine.state === 'running' && this.clock.nowMs() >= reportedAtMs ? true : null,
      address: machine.state === 'terminated' ? null : machine.address,
      site: machine.order.site,
    };
  }
}
