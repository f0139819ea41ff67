import { RejoinError } from '../../core/errors';
import type { Clock } from '../../core/ports/clock';
import type {
  ManagedDatabases,
  ManagedObservation,
  ManagedOrder,
  ManagedSnapshot,
  ManagedState,
} from '../../core/ports/managed-databases';

interface Instance {
  readonly instanceIdentifier: string;
  readonly site: string;
  readonly host: string;
  state: ManagedState;
  turnsAtMs: number;
  quarantined: boolean;
  stoppable: boolean;
}

const port = 5432;

/** Managed instances of a simulated world. Passes test/contract/managed-databases.ts. */
export class SimulatedManagedDatabases implements ManagedDatabases {
  private readonly instances = new Map<string, Instance>();
  private readonly taken: (ManagedSnapshot & { readonly of: string })[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly turnMs: number,
    private readonly onCreate: (instance: { readonly host: string; readonly snapshotId: string | null }) => void = () =>
      undefined,
    private readonly onEnd: (host: string) => void = () => undefined,
  ) {}

  /** An instance that is there from the beginning. */
  add(instanceIdentifier: string, site: string, host: string): void {
    this.instances.set(instanceIdentifier, {
      instanceIdentifier,
      site,
      host,
      state: 'available',
      turnsAtMs: 0,
      quarantined: false,
      stoppable: true,
    });
  }

  async observe(instanceIdentifier: string): Promise<ManagedObservation | null> {
    const instance = this.now(instanceIdentifier);
    return instance === null ? null : seen(instance);
  }

  async stop(instanceIdentifier: string): Promise<void> {
    const instance = this.there(instanceIdentifier);
    if (instance.state === 'stopped' || instance.state === 'stopping') {
      return;
    }
    if (instance.state !== 'available' || !instance.stoppable) {
      throw new RejoinError('ApiRefused', `instance '${instanceIdentifier}' is ${instance.state} and can't be stopped`);
    }
    this.turn(instance, 'stopping');
    this.onEnd(instance.host);
  }

  async isolate(instanceIdentifier: string): Promise<void> {
    this.there(instanceIdentifier).quarantined = true;
  }

  async quarantine(instanceIdentifier: string): Promise<void> {
    const instance = this.there(instanceIdentifier);
    instance.quarantined = true;
    this.turn(instance, 'rebooting');
    this.onEnd(instance.host);
  }

  async release(instanceIdentifier: string): Promise<void> {
    this.there(instanceIdentifier).quarantined = false;
  }

  async snapshots(instanceIdentifier: string): Promise<readonly ManagedSnapshot[]> {
    return this.taken
      .filter((snapshot) => snapshot.of === instanceIdentifier)
      .map(({ snapshotId, takenAtMs, engineVersion }) => ({ snapshotId, takenAtMs, engineVersion }))
      .reverse();
  }

  async create(order: ManagedOrder): Promise<ManagedObservation> {
    const earlier = this.now(order.instanceIdentifier);
    if (earlier !== null) {
      return seen(earlier);
    }
    this.there(order.like);
    if (order.snapshotId !== null && !this.taken.some((snapshot) => snapshot.snapshotId === order.snapshotId)) {
      throw new RejoinError('ApiRefused', `there is no snapshot '${order.snapshotId}'`);
    }
    const instance: Instance = {
      instanceIdentifier: order.instanceIdentifier,
      site: order.site,
      host: `${order.instanceIdentifier}.rds.internal`,
      state: 'creating',
      turnsAtMs: this.clock.nowMs() + this.turnMs,
      quarantined: true,
      stoppable: true,
    };
    this.instances.set(order.instanceIdentifier, instance);
    this.onCreate({ host: instance.host, snapshotId: order.snapshotId });
    return seen(instance);
  }

  async remove(instanceIdentifier: string): Promise<void> {
    const instance = this.now(instanceIdentifier);
    if (instance !== null && instance.state !== 'deleting') {
      this.turn(instance, 'deleting');
      this.onEnd(instance.host);
    }
  }

  snapshot(instanceIdentifier: string): string {
    const snapshotId = `rds-${this.taken.length + 1}`;
    this.taken.push({ snapshotId, takenAtMs: this.clock.nowMs(), engineVersion: '18.4', of: instanceIdentifier });
    return snapshotId;
  }

  forbidStop(instanceIdentifier: string): void {
    this.there(instanceIdentifier).stoppable = false;
  }

  isolated(instanceIdentifier: string): boolean {
    return this.there(instanceIdentifier).quarantined;
  }

  private turn(instance: Instance, state: ManagedState): void {
    instance.state = state;
    instance.turnsAtMs = this.clock.nowMs() + this.turnMs;
  }

  private there(instanceIdentifier: string): Instance {
    const instance = this.now(instanceIdentifier);
    if (instance === null) {
      throw new RejoinError('NotFound', `there is no instance '${instanceIdentifier}'`);
    }
    return instance;
  }

  private now(instanceIdentifier: string): Instance | null {
    const instance = this.instances.get(instanceIdentifier);
    if (instance === undefined || this.clock.nowMs() < instance.turnsAtMs) {
      return instance ?? null;
    }
    if (instance.state === 'deleting') {
      this.instances.delete(instanceIdentifier);
      return null;
    }
    if (instance.state === 'stopping') {
      instance.state = 'stopped';
    } else if (instance.state === 'creating' || instance.state === 'rebooting') {
      instance.state = 'available';
    }
    return instance;
  }
}

function seen({ instanceIdentifier, state, host, site }: Instance): ManagedObservation {
  const placed = state !== 'creating';
  return { instanceIdentifier, state, host: placed ? host : null, port: placed ? port : null, site };
}
