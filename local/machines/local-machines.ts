import type {
  LaunchOrder,
  MachineObservation,
  Machines,
  MachineState,
  SnapshotOrder,
  SnapshotState,
} from '../../core/ports/machines';
import { isRejoinError, messageOf, RejoinError } from '../../core/errors';
import { DelayedView } from './delayed-view';
import type { Machine } from './machine';
import { idDigits, type KeptSnapshot, type MachineRoom } from './machine-room';

/** How long the service takes for what it does. */
export interface MachineTimings {
  /** From the launch until it is `running`. @default 2000 */
  readonly bootMs: number;
  /** From the order to stop until nothing of it runs. @default 500 */
  readonly stopMs: number;
  /** After a machine is `running` or has died: until the health checks say so. @default 3000 */
  readonly healthReportMs: number;
  /** How old what `observe` and `list` tell is. @default 0 */
  readonly viewLagMs: number;
}

const standardTimings: MachineTimings = { bootMs: 2_000, stopMs: 500, healthReportMs: 3_000, viewLagMs: 0 };

/** The id of the machine that a launch with this client token makes. */
export function machineIdOf(clientToken: string): string {
  return `i-${idDigits(clientToken)}`;
}

interface Instance {
  readonly order: LaunchOrder;
  readonly machine: Machine;
  readonly states: DelayedView<MachineState>;
  /** When it became `running`; null while it is not. */
  runningSinceMs: number | null;
  /** What is going on with it; settles, never rejects. */
  activity: Promise<void>;
  /** Why it did not come up, or null. */
  failure: string | null;
}

/**
 * EC2 on this computer: an instance is a machine of the room. A machine that dies by itself stays `running`, and after a
 * while its health checks fail.
 */
export class LocalMachines implements Machines {
  private readonly instances = new Map<string, Instance>();
  private readonly launched = new Map<string, string>();
  private readonly snapshotTokens = new Map<string, string>();
  private readonly snapshotStates = new Map<string, SnapshotState>();
  private readonly capacity = new Map<string, number>();
  private readonly timings: MachineTimings;

  constructor(
    private readonly room: MachineRoom,
    timings: Partial<MachineTimings> = {},
  ) {
    this.timings = { ...standardTimings, ...timings };
  }

  async observe(machineId: string): Promise<MachineObservation | null> {
    const instance = this.instances.get(machineId);
    const state = instance?.states.at(this.room.clock.nowMs()) ?? null;
    return instance === undefined || state === null ? null : this.tell(instance, state);
  }

  async list(cluster: string): Promise<readonly MachineObservation[]> {
    const nowMs = this.room.clock.nowMs();
    return [...this.instances.values()]
      .filter((instance) => instance.order.cluster === cluster)
      .flatMap((instance) => {
        const state = instance.states.at(nowMs);
        return state === null || state === 'terminated' ? [] : [this.tell(instance, state)];
      });
  }

  async launch(order: LaunchOrder): Promise<MachineObservation> {
    return this.start(order, this.timings.bootMs);
  }

  async stop(machineId: string): Promise<void> {
    const instance = this.instance(machineId);
    const state = instance.states.newest;
    if (state === 'terminated') {
      throw new RejoinError('ApiRefused', `machine '${machineId}' is terminated and can't be stopped`);
    }
    if (state === 'stopped' || state === 'stopping') {
      return;
    }
    this.enter(instance, 'stopping');
    this.proceed(instance, async () => {
      await this.room.clock.sleep(this.timings.stopMs);
      await instance.machine.powerOff();
      this.enterFrom(instance, 'stopping', 'stopped');
    });
  }

  async quarantine(machineId: string): Promise<void> {
    await this.instance(machineId).machine.setIsolated('quarantine', true);
  }

  async terminate(machineId: string): Promise<void> {
    const instance = this.instances.get(machineId);
    if (instance === undefined || instance.states.newest === 'terminated') {
      return;
    }
    this.enter(instance, 'stopping');
    this.proceed(instance, async () => {
      await this.room.destroy(machineId);
      this.enter(instance, 'terminated');
    });
  }

  async newestSnapshot(
    cluster: string,
  ): Promise<{ readonly snapshotId: string; readonly takenAtMs: number; readonly nodeId: string } | null> {
    const newest = this.room.snapshots.find(
      (snapshot) => snapshot.cluster === cluster && this.instances.has(snapshot.machineId),
    );
    return newest === undefined
      ? null
      : { snapshotId: newest.snapshotId, takenAtMs: newest.takenAtMs, nodeId: newest.nodeId };
  }

  async takeSnapshot(order: SnapshotOrder): Promise<{ readonly snapshotId: string }> {
    const { machineId, clientToken, cluster } = order;
    const earlier = this.snapshotTokens.get(clientToken);
    if (earlier !== undefined) {
      return { snapshotId: earlier };
    }
    const instance = this.instance(machineId);
    if (instance.order.cluster !== cluster) {
      throw new RejoinError(
        'ApiRefused',
        `machine '${machineId}' belongs to cluster '${instance.order.cluster}', not to '${cluster}'`,
      );
    }
    const snapshotId = this.room.nextSnapshotId(machineId);
    this.snapshotTokens.set(clientToken, snapshotId);
    this.snapshotStates.set(snapshotId, 'pending');
    void instance.activity
      .then(() => this.room.takeSnapshot(machineId, snapshotId))
      .then(
        () => this.snapshotStates.set(snapshotId, 'usable'),
        () => this.snapshotStates.set(snapshotId, 'failed'),
      );
    return { snapshotId };
  }

  async snapshotState(snapshotId: string): Promise<SnapshotState | null> {
    const isKept = this.room.snapshots.some((kept) => kept.snapshotId === snapshotId);
    return this.snapshotStates.get(snapshotId) ?? (isKept ? 'usable' : null);
  }

  /** Launches without a boot delay and waits until the database takes connections: for a cluster's first machines. */
  async launchReady(order: LaunchOrder): Promise<MachineObservation> {
    const { machineId } = this.start(order, 0);
    await this.settled(machineId);
    return this.tell(this.instance(machineId), 'running');
  }

  /** Resolves when nothing is going on with a machine. @throws ApiRefused when it did not come up */
  async settled(machineId: string): Promise<void> {
    const instance = this.instance(machineId);
    await instance.activity;
    if (instance.failure !== null) {
      throw new RejoinError('ApiRefused', `machine '${machineId}' did not come up: ${instance.failure}`);
    }
  }

  /** Switches a stopped machine on again, as somebody might who knows of nothing. */
  async switchOn(machineId: string): Promise<void> {
    const instance = this.instance(machineId);
    this.enter(instance, 'starting');
    this.boot(instance, this.timings.bootMs, () => instance.machine.boot());
  }

  /** How many more machines a site has room for; null: as many as one likes. */
  limitCapacity(site: string, machines: number | null): void {
    if (machines === null) {
      this.capacity.delete(site);
    } else {
      this.capacity.set(site, machines);
    }
  }

  /** Takes a volume snapshot of a running machine. */
  async snapshot(machineId: string): Promise<KeptSnapshot> {
    this.instance(machineId);
    return this.room.takeSnapshot(machineId);
  }

  private start(order: LaunchOrder, bootMs: number): MachineObservation {
    const earlier = this.launched.get(order.clientToken);
    if (earlier !== undefined) {
      return this.launchedBefore(earlier, order);
    }
    this.check(order);
    const machineId = machineIdOf(order.clientToken);
    this.launched.set(order.clientToken, machineId);
    const instance: Instance = {
      order,
      machine: this.room.make({ ...order, machineId }),
      states: new DelayedView(this.timings.viewLagMs),
      runningSinceMs: null,
      activity: Promise.resolve(),
      failure: null,
    };
    this.instances.set(machineId, instance);
    this.enter(instance, 'starting');
    this.boot(instance, bootMs, () => this.room.install(instance.machine, null));
    return this.tell(instance, 'starting');
  }

  private launchedBefore(machineId: string, order: LaunchOrder): MachineObservation {
    const instance = this.instance(machineId);
    if (JSON.stringify(instance.order) !== JSON.stringify({ ...instance.order, ...order })) {
      throw new RejoinError(
        'ApiRefused',
        `client token '${order.clientToken}' has launched '${machineId}' with other parameters; use a new token`,
      );
    }
    return this.tell(instance, instance.states.newest ?? 'starting');
  }

  private check(order: LaunchOrder): void {
    const { sites } = this.room.cluster(order.cluster);
    if (!sites.includes(order.site)) {
      throw new RejoinError(
        'ApiRefused',
        `cluster '${order.cluster}' has no site '${order.site}' (sites: ${sites.join(', ')})`,
      );
    }
    if (order.volumeSnapshot !== null) {
      this.room.snapshot(order.volumeSnapshot);
    }
    const room = this.capacity.get(order.site);
    if (room === 0) {
      throw new RejoinError(
        'CapacityShort',
        `site '${order.site}' has no capacity for another machine; try another site`,
      );
    }
    if (room !== undefined) {
      this.capacity.set(order.site, room - 1);
    }
  }

  private boot(instance: Instance, bootMs: number, work: () => Promise<void>): void {
    this.proceed(instance, async () => {
      await this.room.clock.sleep(bootMs);
      if (instance.states.newest === 'starting') {
        this.enter(instance, 'running');
        instance.runningSinceMs = this.room.clock.nowMs();
        await work();
      }
    });
  }

  /** Does something after what is going on with it. */
  private proceed(instance: Instance, work: () => Promise<void>): void {
    instance.activity = instance.activity.then(work).catch((thrown: unknown) => {
      // Terminated in the middle of it: nothing to tell.
      if (!isRejoinError(thrown, 'NotFound')) {
        instance.failure = messageOf(thrown);
      }
    });
  }

  private enter(instance: Instance, state: MachineState): void {
    instance.states.enter(state, this.room.clock.nowMs());
  }

  private enterFrom(instance: Instance, from: MachineState, to: MachineState): void {
    if (instance.states.newest === from) {
      this.enter(instance, to);
    }
  }

  private tell({ machine, runningSinceMs }: Instance, state: MachineState): MachineObservation {
    const { machineId, address, site } = machine.facts;
    return {
      machineId,
      state,
      healthy: state === 'running' ? this.health(machine, runningSinceMs) : null,
      address,
      site,
    };
  }

  private health(machine: Machine, runningSinceMs: number | null): boolean | null {
    const reportedMs = this.room.clock.nowMs() - this.timings.healthReportMs;
    if (runningSinceMs === null || runningSinceMs > reportedMs) {
      return null;
    }
    return machine.unwellSinceMs === null || machine.unwellSinceMs > reportedMs;
  }

  private instance(machineId: string): Instance {
    const found = this.instances.get(machineId);
    if (found === undefined) {
      throw new RejoinError(
        'NotFound',
        `there is no machine '${machineId}' (there is: ${[...this.instances.keys()].join(', ') || 'none'})`,
      );
    }
    return found;
  }
}
