import type { ClusterSettings } from '../cluster/settings';
import type { Json, JsonObject } from '../json';

export type ProbeAnswer = 'open' | 'refused' | 'timed out';

/** Asks from a site's own network whether a TCP port answers. */
export interface Prober {
  probe(target: {
    readonly fromSite: string;
    readonly host: string;
    readonly port: number;
    readonly timeoutMs: number;
  }): Promise<ProbeAnswer>;
}

export interface DnsRecord {
  /** Fully qualified, without the last dot. */
  readonly name: string;
  readonly type: 'A' | 'CNAME' | 'TXT';
  readonly ttlSeconds: number;
  readonly values: readonly string[];
}

export interface DnsChange {
  readonly action: 'upsert' | 'create' | 'delete';
  readonly record: DnsRecord;
}

/** The records by which clients find nodes: one hosted zone. */
export interface Dns {
  /** Makes all changes or none; returns an id for `changeState`. @throws ConditionFailed when a create or delete does not fit what is there; ApiThrottled */
  change(changes: readonly DnsChange[]): Promise<{ readonly changeId: string }>;
  /** Whether every name server of the zone answers with the change. */
  changeState(changeId: string): Promise<'pending' | 'in sync'>;
  read(name: string, type: DnsRecord['type']): Promise<DnsRecord | null>;
}

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export interface Secrets {
  /** @throws NotFound; InvalidSettings when the secret lacks `username` or `password` */
  credentials(secretName: string): Promise<Credentials>;
}

/** What rejoin.yaml says, as deployed. */
export interface Settings {
  /** @throws NotFound, naming the clusters that there are */
  cluster(name: string): Promise<ClusterSettings>;
}

/** Something that happened, for whoever has a rule for it. */
export interface DomainEvent {
  readonly type: 'NodeSilent' | 'ShardsPromoted' | 'RecoveryEnded' | 'BackupDamaged';
  readonly cluster: string;
  readonly detail: JsonObject;
}

export interface Events {
  publish(event: DomainEvent): Promise<void>;
}

/** People who want to know. */
export interface Notifications {
  /** @param message plain text; never secrets */
  publish(message: { readonly subject: string; readonly body: string }): Promise<void>;
}

export interface MetricValue {
  readonly name: string;
  readonly unit: 'Count' | 'Milliseconds' | 'Seconds' | 'Bytes' | 'Percent';
  readonly value: number;
  readonly dimensions: Readonly<Record<string, string>>;
}

export interface Metrics {
  publish(values: readonly MetricValue[]): Promise<void>;
  /** The newest value within `withinSeconds`, or null when there is none. */
  newest(name: string, dimensions: Readonly<Record<string, string>>, withinSeconds: number): Promise<number | null>;
}

export interface ExecutionRecord {
  readonly arn: string;
  readonly status: 'running' | 'succeeded' | 'failed' | 'timed out' | 'aborted';
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  readonly output: Json;
}

export interface StateVisit {
  readonly state: string;
  readonly enteredAtMs: number;
  /** Null while it is in the state, or when it was left by a failure. */
  readonly exitedAtMs: number | null;
}

/** State machine executions. `machine` is a workflow's name, such as `node-recovery`. */
export interface Executions {
  /** Names stay taken: `already taken` means that this alarm has its execution. */
  start(order: {
    readonly machine: string;
    readonly name: string;
    readonly input: JsonObject;
  }): Promise<{ readonly arn: string; readonly started: boolean }>;
  describe(machine: string, name: string): Promise<ExecutionRecord | null>;
  /** The states that an execution has been in, in order of entry. */
  visits(machine: string, name: string): Promise<readonly StateVisit[]>;
  running(machine: string): Promise<readonly string[]>;
}

/** Runs a prepared command on a machine's host, through its management agent: used where SQL does not reach. */
export interface HostCommands {
  /** @returns an id for `result` */
  send(order: {
    readonly machineId: string;
    readonly command: 'stop-database' | 'start-database' | 'restore-volume';
    readonly parameters: Readonly<Record<string, string>>;
  }): Promise<{ readonly commandId: string }>;
  result(
    commandId: string,
    machineId: string,
  ): Promise<{ readonly state: 'running' | 'succeeded' | 'failed'; readonly output: string }>;
}
