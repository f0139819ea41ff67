import type { JsonObject } from '../../core/json';
import type { FunctionDefinition } from '../lambdas/local-functions';
import type { EventPattern } from './event-pattern';
import type { TargetInput } from './target-input';

export interface DeployedFunction extends FunctionDefinition {
  readonly arn: string;
}

export interface DeployedMachine {
  readonly name: string;
  readonly arn: string;
  readonly type: 'STANDARD' | 'EXPRESS';
  readonly definition: JsonObject;
}

export interface RuleTarget {
  readonly arn: string;
  readonly input: TargetInput;
}

/** A rule on an event bus, or a schedule. */
export interface DeployedRule {
  readonly name: string;
  readonly arn: string;
  readonly description: string | null;
  readonly enabled: boolean;
  /** The name of its bus: `default`, or one's own. */
  readonly bus: string;
  /** Null: it has a schedule only. */
  readonly pattern: EventPattern | null;
  /** `rate(1 minute)` or `cron(…)`; null: it has a pattern only. */
  readonly schedule: string | null;
  readonly targets: readonly RuleTarget[];
}

export const comparisons = [
  'GreaterThanOrEqualToThreshold',
  'GreaterThanThreshold',
  'LessThanThreshold',
  'LessThanOrEqualToThreshold',
] as const;
export const statistics = ['SampleCount', 'Average', 'Sum', 'Minimum', 'Maximum'] as const;
export const missingDataTreatments = ['breaching', 'notBreaching', 'ignore', 'missing'] as const;

/** An alarm on one metric. */
export interface DeployedAlarm {
  readonly name: string;
  readonly arn: string;
  readonly description: string | null;
  readonly namespace: string;
  readonly metricName: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly statistic: (typeof statistics)[number];
  readonly periodSeconds: number;
  readonly evaluationPeriods: number;
  /** How many of the evaluated periods must breach. */
  readonly datapointsToAlarm: number;
  readonly threshold: number;
  readonly comparison: (typeof comparisons)[number];
  readonly missingData: (typeof missingDataTreatments)[number];
  /** ARNs: what is told when it goes off. */
  readonly alarmActions: readonly string[];
}

/** What the synthesized templates deploy, as far as the local cloud runs it. */
export interface DeployedApp {
  readonly functions: readonly DeployedFunction[];
  readonly machines: readonly DeployedMachine[];
  readonly rules: readonly DeployedRule[];
  readonly alarms: readonly DeployedAlarm[];
  readonly buckets: readonly string[];
}
