export type ManagedState = 'creating' | 'available' | 'stopping' | 'stopped' | 'rebooting' | 'failed' | 'deleting';

export interface ManagedObservation {
  readonly instanceIdentifier: string;
  readonly state: ManagedState;
  /** Null until it has one. */
  readonly host: string | null;
  readonly port: number | null;
  readonly site: string | null;
}

export interface ManagedSnapshot {
  readonly snapshotId: string;
  readonly takenAtMs: number;
  readonly engineVersion: string;
}

export interface ManagedOrder {
  readonly cluster: string;
  readonly nodeId: string;
  readonly site: string;
  readonly instanceIdentifier: string;
  /** The instance whose class, storage and parameter group it copies. */
  readonly like: string;
  /** Null: an empty instance. */
  readonly snapshotId: string | null;
  readonly quarantineGroup: string;
}

/** Databases that a service runs for us: RDS instances. */
export interface ManagedDatabases {
  observe(instanceIdentifier: string): Promise<ManagedObservation | null>;
  /** Asks for a stop; not every instance can be stopped. @throws ApiRefused */
  stop(instanceIdentifier: string): Promise<void>;
  /** Moves it into the quarantine group, in which it stays when somebody starts it again. Its sessions go on. @throws ApiRefused */
  isolate(instanceIdentifier: string, quarantineGroup: string): Promise<void>;
  /** Moves it into the quarantine group and reboots it, which ends its sessions. */
  quarantine(instanceIdentifier: string, quarantineGroup: string): Promise<void>;
  /** Puts it back into the security groups that `like` has. */
  release(instanceIdentifier: string, like: string): Promise<void>;
  /** Newest first; only usable ones. */
  snapshots(instanceIdentifier: string): Promise<readonly ManagedSnapshot[]>;
  /** Creates or restores; the same identifier creates once. @throws CapacityShort; ApiRefused */
  create(order: ManagedOrder): Promise<ManagedObservation>;
  /** Deletes it without a final snapshot. Absent ones are no error. */
  remove(instanceIdentifier: string): Promise<void>;
}
