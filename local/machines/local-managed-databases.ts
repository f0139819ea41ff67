import type {
  ManagedDatabases,
  ManagedObservation,
  ManagedOrder,
  ManagedSnapshot,
  ManagedState,
} from '../../core/ports/managed-databases';
import { isRejoinError, RejoinError } from '../../core/errors';
import { DelayedView } from './delayed-view';
import type { Machine } from './machine';
import type { KeptSnapshot, MachineRoom } from './machine-room';

/** How long the service takes for what it does. */
export interface ManagedTimings {
  /** From the order until it is `available`. @default 4000 */
  readonly createMs: number;
  /** @default 1000 */
  readonly stopMs: number;
  /** @default 1000 */
  readonly rebootMs: number;
  /** How old what `observe` tells is. @default 0 */
  readonly viewLagMs: number;
}

const standardTimings: ManagedTimings = { createMs: 4_000, stopMs: 1_000, rebootMs: 1_000, viewLagMs: 0 };

interface Instance {
  readonly order: ManagedOrder;
  readonly machine: Machine;
  readonly states: DelayedView<ManagedState>;
  /** What is going on with it; settles, never rejects. */
  activity: Promise<void>;
}

/** RDS on this computer: an instance is a machine of the room, without an agent, which only this port reaches. */
export class LocalManagedDatabases implements ManagedDatabases {
  private readonly instances = new Map<string, Instance>();
  private readonly unstoppable = new Set<string>();
  private readonly timings: ManagedTimings;

  constructor(
    private readonly room: MachineRoom,
    timings: Partial<ManagedTimings> = {},
  ) {
    this.timings = { ...standardTimings, ...timings };
  }

  async observe(instanceIdentifier: string): Promise<ManagedObservation | null> {
    const instance = this.instances.get(instanceIdentifier);
    const state = instance?.states.at(this.room.clock.nowMs()) ?? null;
    return instance === undefined || state === null ? null : tell(instance, state);
  }

  async stop(instanceIdentifier: string): Promise<void> {
    const instance = this.instance(instanceIdentifier);
    if (this.unstoppable.has(instanceIdentifier)) {
      throw new RejoinError(
        'ApiRefused',
        `instance '${instanceIdentifier}' can't be stopped: it has a read replica; quarantine it instead`,
      );
    }
    const state = instance.states.newest;
    if (state === 'stopped' || state === 'stopping') {
      return;
    }
    this.expectState(instance, 'available', 'stopped');
    this.enter(instance, 'stopping');
    this.proceed(instance, async () => {
      await this.room.clock.sleep(this.timings.stopMs);
      await instance.machine.powerOff();
      this.enter(instance, 'stopped');
    });
  }

  async isolate(instanceIdentifier: string): Promise<void> {
    await this.instance(instanceIdentifier).machine.setIsolated('quarantine', true);
  }

  async quarantine(instanceIdentifier: string): Promise<void> {
    const instance = this.instance(instanceIdentifier);
    await instance.machine.setIsolated('quarantine', true);
    if (instance.states.newest === 'available') {
      this.reboot(instance);
    }
  }

  async release(instanceIdentifier: string, like: string): Promise<void> {
    this.instance(like);
    await this.instance(instanceIdentifier).machine.setIsolated('quarantine', false);
  }

  async snapshots(instanceIdentifier: string): Promise<readonly ManagedSnapshot[]> {
    return this.room.snapshots
      .filter((snapshot) => snapshot.machineId === instanceIdentifier)
      .map(({ snapshotId, takenAtMs }) => ({ snapshotId, takenAtMs, engineVersion: this.room.engineVersion }));
  }

  async create(order: ManagedOrder): Promise<ManagedObservation> {
    const earlier = this.instances.get(order.instanceIdentifier);
    if (earlier !== undefined) {
      return tell(earlier, earlier.states.newest ?? 'creating');
    }
    this.instance(order.like);
    if (order.snapshotId !== null) {
      this.room.snapshot(order.snapshotId);
    }
    const instance = this.add(order);
    this.come(instance, this.timings.createMs, true);
    return tell(instance, 'creating');
  }

  async remove(instanceIdentifier: string): Promise<void> {
    const instance = this.instances.get(instanceIdentifier);
    if (instance === undefined || instance.states.newest === 'deleting') {
      return;
    }
    this.enter(instance, 'deleting');
    this.proceed(instance, async () => {
      await this.room.destroy(instanceIdentifier);
      this.instances.delete(instanceIdentifier);
    });
  }

  /** Creates a cluster's first instance, in no quarantine, and waits until it is available. */
  async createReady(order: Omit<ManagedOrder, 'like' | 'quarantineGroup'>): Promise<ManagedObservation> {
    const instance = this.add({ ...order, like: order.instanceIdentifier, quarantineGroup: '' });
    this.come(instance, 0, false);
    await instance.activity;
    return tell(instance, instance.states.newest ?? 'failed');
  }

  /** Takes a snapshot of an available instance. */
  async takeSnapshot(instanceIdentifier: string): Promise<KeptSnapshot> {
    this.expectState(this.instance(instanceIdentifier), 'available', 'copied');
    return this.room.takeSnapshot(instanceIdentifier);
  }

  /** Starts a stopped instance again: somebody who knows of nothing, or the service itself after seven days. */
  async start(instanceIdentifier: string): Promise<void> {
    const instance = this.instance(instanceIdentifier);
    this.expectState(instance, 'stopped', 'started');
    this.enter(instance, 'creating');
    this.proceed(instance, async () => {
      await instance.machine.boot();
      this.enterFrom(instance, 'creating', 'available');
    });
  }

  /** From now on `stop` is refused, as for an instance with a read replica. */
  forbidStop(instanceIdentifier: string): void {
    this.unstoppable.add(instanceIdentifier);
  }

  /** Resolves when nothing is going on with an instance. */
  async settled(instanceIdentifier: string): Promise<void> {
    await this.instances.get(instanceIdentifier)?.activity;
  }

  private add(order: ManagedOrder): Instance {
    const { instanceIdentifier, cluster, nodeId, site } = order;
    const { sites } = this.room.cluster(cluster);
    if (!sites.includes(site)) {
      throw new RejoinError('ApiRefused', `cluster '${cluster}' has no site '${site}' (sites: ${sites.join(', ')})`);
    }
    const instance: Instance = {
      order,
      machine: this.room.make({ machineId: instanceIdentifier, cluster, nodeId, site, agent: 'none' }),
      states: new DelayedView(this.timings.viewLagMs),
      activity: Promise.resolve(),
    };
    this.instances.set(instanceIdentifier, instance);
    this.enter(instance, 'creating');
    return instance;
  }

  private come(instance: Instance, createMs: number, quarantined: boolean): void {
    this.proceed(instance, async () => {
      await instance.machine.setIsolated('quarantine', quarantined);
      await this.room.clock.sleep(createMs);
      await this.room.install(instance.machine, instance.order.snapshotId);
      this.enterFrom(instance, 'creating', 'available');
    });
  }

  private reboot(instance: Instance): void {
    this.enter(instance, 'rebooting');
    this.proceed(instance, async () => {
      await instance.machine.powerOff();
      await this.room.clock.sleep(this.timings.rebootMs);
      await instance.machine.boot();
      this.enterFrom(instance, 'rebooting', 'available');
    });
  }

  /** Does something after what is going on with it. */
  private proceed(instance: Instance, work: () => Promise<void>): void {
    instance.activity = instance.activity.then(work).catch((thrown: unknown) => {
      // Removed in the middle of it: nothing to tell.
      if (!isRejoinError(thrown, 'NotFound')) {
        this.enter(instance, 'failed');
      }
    });
  }

  private enter(instance: Instance, state: ManagedState): void {
    instance.states.enter(state, this.room.clock.nowMs());
  }

  private enterFrom(instance: Instance, from: ManagedState, to: ManagedState): void {
    if (instance.states.newest === from) {
      this.enter(instance, to);
    }
  }

  private expectState(instance: Instance, state: ManagedState, done: string): void {
    const found = instance.states.newest;
    if (found !== state) {
      throw new RejoinError(
        'ApiRefused',
        `instance '${instance.order.instanceIdentifier}' is ${found ?? 'unknown'} and can't be ${done}; wait until it is ${state}`,
      );
    }
  }

  private instance(instanceIdentifier: string): Instance {
    const found = this.instances.get(instanceIdentifier);
    if (found === undefined) {
      throw new RejoinError(
        'NotFound',
        `there is no instance '${instanceIdentifier}' (there is: ${[...this.instances.keys()].join(', ') || 'none'})`,
      );
    }
    return found;
  }
}

function tell({ machine, order }: Instance, state: ManagedState): ManagedObservation {
  const { address, databasePort, site } = machine.facts;
  const reachable = state !== 'creating' && state !== 'failed';
  return {
    instanceIdentifier: order.instanceIdentifier,
    state,
    host: reachable ? address : null,
    port: reachable ? databasePort : null,
    site,
  };
}
