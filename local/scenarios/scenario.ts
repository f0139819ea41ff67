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
  /** What nodes run on. @default 'ec2' */
  readonly machines?: MachineKind;
  /** Whether commits wait for a follower. @default 'synchronous' on EC2, 'asynchronous' on RDS, which knows nothing else */
  readonly durability?: Durability;
  readonly ablate: readonly string[];
  readonly seed: number;
  /** Keep the run's directory afterwards. */
  readonly keep: boolean;
  /** Where runs and evidence are kept, one run at a time. @default `.rejoin` where the command was given */
  readonly directory?: string;
}

export const machineKinds = ['ec2', 'rds'] as const;
export type MachineKind = (typeof machineKinds)[number];
export const durabilities = ['synchronous', 'asynchronous'] as const;
export type Durability = (typeof durabilities)[number];

export interface Fault {
  readonly name: string;
  readonly summary: string;
  /** What nodes must run on for it. @default any */
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
