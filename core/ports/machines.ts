export type MachineState = 'starting' | 'running' | 'stopping' | 'stopped' | 'terminated';

/** What the machine API says of one machine. */
export interface MachineObservation {
  readonly machineId: string;
  readonly state: MachineState;
  /** The API's own health checks; null while they have not reported. */
  readonly healthy: boolean | null;
  /** Null until it has one. */
  readonly address: string | null;
  readonly site: string;
}

export interface LaunchOrder {
  readonly cluster: string;
  readonly nodeId: string;
  readonly site: string;
  /** The same token launches the same machine, once. */
  readonly clientToken: string;
  /** The launch template, or null for the cluster's own. */
  readonly launchTemplate: string | null;
  /**
   * A snapshot from which a volume is made and attached: the host command `restore-volume` takes it as the data directory.
   * Null: none.
   */
  readonly volumeSnapshot: string | null;
}

export interface SnapshotOrder {
  readonly cluster: string;
  readonly machineId: string;
  readonly clientToken: string;
}

export type SnapshotState = 'pending' | 'usable' | 'failed';

/** Machines that run a node and its agent: EC2 instances. Only those tagged `rejoin:cluster` are ever changed. */
export interface Machines {
  /** Null when there is no such machine, or no trace of it any more. @throws ApiThrottled */
  observe(machineId: string): Promise<MachineObservation | null>;
  /** Every machine of a cluster that is not terminated. */
  list(cluster: string): Promise<readonly MachineObservation[]>;
  /** @throws CapacityShort when the site has none; ApiThrottled; ApiRefused */
  launch(order: LaunchOrder): Promise<MachineObservation>;
  /** Asks for a forced stop. `observe` tells when it is done. Stopping a stopped machine is no error. */
  stop(machineId: string): Promise<void>;
  /** Cuts the machine off the network, whatever its state. */
  quarantine(machineId: string, quarantineGroup: string): Promise<void>;
  /** Ends the machine and its volumes. Absent ones are no error. */
  terminate(machineId: string): Promise<void>;
  /** The newest usable snapshot of a node's volume, or null. */
  newestSnapshot(
    cluster: string,
  ): Promise<{ readonly snapshotId: string; readonly takenAtMs: number; readonly nodeId: string } | null>;
  /**
   * Begins a snapshot of a machine's data volume, as it is at this moment. The same token begins one, once.
   *
   * @throws NotFound; ApiRefused when the machine is another cluster's, or has no data volume
   */
  takeSnapshot(order: SnapshotOrder): Promise<{ readonly snapshotId: string }>;
  /** Whether a snapshot can be used. Null: there is none. */
  snapshotState(snapshotId: string): Promise<SnapshotState | null>;
}
