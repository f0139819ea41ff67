import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EC2Client } from '@aws-sdk/client-ec2';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { RDSClient } from '@aws-sdk/client-rds';
import { Route53Client } from '@aws-sdk/client-route-53';
import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SNSClient } from '@aws-sdk/client-sns';
import { SSMClient } from '@aws-sdk/client-ssm';
import * as z from 'zod';
import { Leases } from '../core/lease/lease';
import { RunLedger } from '../core/ledger/run-ledger';
import type { Clock, Random } from '../core/ports/clock';
import type { DatabaseEngine } from '../core/ports/database-engine';
import type { DatabaseWatches } from '../core/ports/database-watch';
import type { Machines } from '../core/ports/machines';
import type { ManagedDatabases } from '../core/ports/managed-databases';
import type { Objects } from '../core/ports/objects';
import type { Registry } from '../core/ports/registry';
import type { StatusAlarms } from '../core/ports/status-alarms';
import type {
  Dns,
  Events,
  Executions,
  HostCommands,
  Metrics,
  Notifications,
  Prober,
  Secrets,
  Settings,
} from '../core/ports/surroundings';
import type { StepPorts } from '../core/step/define-step';
import { postgresEngine } from '../engines/postgresql/engine';
import { postgresWatches } from '../engines/postgresql/watch/server-watch';
import { clientSettings } from './aws/client-settings';
import { connectionSource } from './aws/connection-source';
import { Route53Dns } from './aws/dns';
import { environment } from './aws/environment';
import { EventBridgeEvents } from './aws/events';
import { StepFunctionsExecutions } from './aws/executions';
import { DocumentCommands } from './aws/host-commands';
import { Ec2Machines } from './aws/machines';
import { RdsManagedDatabases } from './aws/managed-databases';
import { CloudWatchMetrics } from './aws/metrics';
import { TopicNotifications } from './aws/notifications';
import { S3Objects } from './aws/objects';
import { LambdaProber } from './aws/prober';
import { DynamoRegistry } from './aws/registry';
import { ManagedSecrets } from './aws/secrets';
import { ParameterSettings } from './aws/settings';
import { CloudWatchStatusAlarms } from './aws/status-alarms';
import { systemClock } from './system-clock';
import { systemRandom } from './system-random';

/** A chunk or segment of an hour's writes may be large. */
const objectTimeoutMs = 60_000;
/** A probe may take 10 s, and the function's start a few more. */
const proberTimeoutMs = 16_000;

/**
 * The ports on AWS. Each is made when it is asked for, with one client a service and process, so that bundling leaves out
 * the clients that a step does not use. `local/adapters/ports.ts` has the same functions for the local cloud.
 */
export function stepPorts(): StepPorts {
  const items = registry();
  return { clock: systemClock, ledger: new RunLedger(items, systemClock), leases: new Leases(items, systemClock) };
}

let dynamo: DynamoDBClient | undefined;
export function registry(): Registry {
  dynamo ??= new DynamoDBClient(clientSettings());
  return new DynamoRegistry(dynamo, environment('REJOIN_TABLE'));
}

let s3: S3Client | undefined;
function bucket(name: string): Objects {
  s3 ??= new S3Client(clientSettings(objectTimeoutMs));
  return new S3Objects(s3, name);
}
export const backups = (): Objects => bucket(environment('REJOIN_BACKUPS_BUCKET'));
export const evidence = (): Objects => bucket(environment('REJOIN_EVIDENCE_BUCKET'));

let ec2: EC2Client | undefined;
export function machines(): Machines {
  ec2 ??= new EC2Client(clientSettings());
  return new Ec2Machines(ec2, settings());
}

let rds: RDSClient | undefined;
export function managedDatabases(): ManagedDatabases {
  rds ??= new RDSClient(clientSettings());
  return new RdsManagedDatabases(rds, settings(), secrets());
}

let lambda: LambdaClient | undefined;
export function prober(): Prober {
  lambda ??= new LambdaClient(clientSettings(proberTimeoutMs));
  const functions = z.record(z.string(), z.string()).parse(JSON.parse(environment('REJOIN_PROBER_FUNCTIONS')));
  return new LambdaProber(lambda, functions);
}

let route53: Route53Client | undefined;
export function dns(): Dns {
  route53 ??= new Route53Client(clientSettings());
  return new Route53Dns(route53, environment('REJOIN_ZONE_ID'));
}

let managedSecrets: ManagedSecrets | undefined;
function secretsOfProcess(): ManagedSecrets {
  managedSecrets ??= new ManagedSecrets(new SecretsManagerClient(clientSettings()), systemClock);
  return managedSecrets;
}
export const secrets = (): Secrets => secretsOfProcess();

let ssm: SSMClient | undefined;
function ssmOfProcess(): SSMClient {
  ssm ??= new SSMClient(clientSettings());
  return ssm;
}

let parameterSettings: ParameterSettings | undefined;
export function settings(): Settings {
  parameterSettings ??= new ParameterSettings(ssmOfProcess(), environment('REJOIN_SETTINGS_PREFIX'), systemClock);
  return parameterSettings;
}

export const hostCommands = (): HostCommands => new DocumentCommands(ssmOfProcess(), systemClock);

let eventBridge: EventBridgeClient | undefined;
export function events(): Events {
  eventBridge ??= new EventBridgeClient(clientSettings());
  return new EventBridgeEvents(eventBridge, environment('REJOIN_EVENT_BUS'));
}

let sns: SNSClient | undefined;
export function notifications(): Notifications {
  sns ??= new SNSClient(clientSettings());
  return new TopicNotifications(sns, environment('REJOIN_TOPIC_ARN'));
}

let cloudWatch: CloudWatchClient | undefined;
function cloudWatchOfProcess(): CloudWatchClient {
  cloudWatch ??= new CloudWatchClient(clientSettings());
  return cloudWatch;
}
export const metrics = (): Metrics => new CloudWatchMetrics(cloudWatchOfProcess(), systemClock);
export const statusAlarms = (): StatusAlarms => new CloudWatchStatusAlarms(cloudWatchOfProcess());

let stepFunctions: SFNClient | undefined;
export function executions(): Executions {
  stepFunctions ??= new SFNClient(clientSettings());
  return new StepFunctionsExecutions(stepFunctions, environment('REJOIN_MACHINE_ARN_PREFIX'), systemClock);
}

export const databases = (): DatabaseEngine => postgresEngine(connectionSource(settings(), secretsOfProcess()));
export const databaseWatches = (): DatabaseWatches =>
  postgresWatches(connectionSource(settings(), secretsOfProcess()), systemClock);

export const clock = (): Clock => systemClock;
export const random = (): Random => systemRandom;
