import type { RehearsalReport } from './report';

/** What a rehearsal may be told; a scenario says which of it means something there. */
export interface RehearsalOptions {
  /** A plain SQL dump to run on, instead of the shop; null: the shop. */
  readonly dump: string | null;
  readonly rows: number;
  readonly shards: number;
  readonly nodes: number;
  readonly requestsPerSecond: number;
  readonly fault: string;
  /** Whether each node holds some rows, or all of them. @default 'sharded' */
  readonly layout?: Layout;
  /** What nodes run on. @default 'ec2' */
  readonly machines?: MachineKind;
  /** Whether commits wait for a follower. @default 'synchronous' on EC2, 'asynchronous' on RDS and in a replicated cluster, which know nothing else */
  readonly durability?: Durability;
  readonly ablate: readonly string[];
  readonly seed: number;
  /** Keep the run's directory afterwards. */
  readonly keep: boolean;
  /** Where runs and evidence are kept, one run at a time. @default `.rejoin` where the command was given */
  readonly directory?: string;
}

export const layouts = ['sharded', 'replicated'] as const;
export type Layout = (typeof layouts)[number];
export const machineKinds = ['ec2', 'rds'] as const;
export type MachineKind = (typeof machineKinds)[number];
export const durabilities = ['synchronous', 'asynchronous'] as const;
export type Durability = (typeof durabilities)[number];

export interface Fault {
  readonly name: string;
  readonly summary: string;
  /** The layouts in which it can happen. @default only 'sharded' */
  readonly layouts?: readonly Layout[];
  /** What the nodes of a sharded cluster must run on for it. @default any */
  readonly machines?: MachineKind;
}

/** One rehearsal: a workflow, real servers, a load, and something that goes wrong. */
export interface Scenario {
  readonly name: string;
  readonly summary: string;
  readonly faults: readonly Fault[];
  readonly ablations: readonly Fault[];
  /**
   * @param say progress for people, a line at a time
   * @param signal aborted on Ctrl-C: everything that was started is ended before the promise settles
   */
  run(options: RehearsalOptions, say: (line: string) => void, signal: AbortSignal): Promise<RehearsalReport>;
}
