import { settingsPrefix } from '../../adapters/aws/settings.permissions';
import type { ResourceNames } from '../../core/permissions/permission';
import type { AppSettings } from '../config/app-settings';
import { proberName } from '../constructs/prober';

/** Where a stack is deployed: a `Stack` is one. */
export interface DeploymentPlace {
  readonly partition: string;
  readonly region: string;
  readonly account: string;
}

/** What the foundation made, by name: placeholders until it is deployed. */
export interface FoundationParts {
  readonly tableName: string;
  readonly tableArn: string;
  readonly backupsBucketName: string;
  readonly backupsBucketArn: string;
  readonly evidenceBucketName: string;
  readonly evidenceBucketArn: string;
  readonly keyArn: string;
  readonly topicArn: string;
  readonly eventBusName: string;
  readonly eventBusArn: string;
  readonly stepsGroupId: string;
  /** Cluster → the security group that fences its machines. */
  readonly quarantineGroupIds: Readonly<Record<string, string>>;
}

/** Site → subnet, of all clusters: a site's name means one place. */
export function sitesOf(settings: AppSettings): ReadonlyMap<string, string> {
  return new Map(
    Object.values(settings.clusters).flatMap((cluster) =>
      Object.entries(cluster.sites).map(([site, { subnetId }]) => [site, subnetId] as const),
    ),
  );
}

export function resourceNames(place: DeploymentPlace, parts: FoundationParts, settings: AppSettings): ResourceNames {
  const { partition, region, account } = place;
  const arn = (service: string, resource: string): string =>
    `arn:${partition}:${service}:${region}:${account}:${resource}`;
  const clusters = Object.entries(settings.clusters);
  const sites = [...sitesOf(settings)];
  const launchTemplates = clusters.flatMap(([, cluster]) => cluster.launchTemplate ?? []);
  return {
    partition,
    region,
    account,
    clusters: clusters.map(([name]) => name),
    tableArn: parts.tableArn,
    backupsBucketArn: parts.backupsBucketArn,
    evidenceBucketArn: parts.evidenceBucketArn,
    keyArn: parts.keyArn,
    topicArn: parts.topicArn,
    eventBusArn: parts.eventBusArn,
    hostedZoneArn: `arn:${partition}:route53:::hostedzone/${settings.zone.id}`,
    settingsParameterArns: clusters.map(([name]) => arn('ssm', `parameter${settingsPrefix}/${name}`)),
    // Secrets Manager adds six characters to a secret's name.
    secretArns: unique(clusters.map(([, { secret }]) => arn('secretsmanager', `secret:${secret}-??????`))),
    proberFunctionArns: sites.map(([site]) => arn('lambda', `function:${proberName(site)}`)),
    subnetArns: unique(sites.map(([, subnetId]) => arn('ec2', `subnet/${subnetId}`))),
    launchTemplateArns: unique(launchTemplates.map((template) => arn('ec2', `launch-template/${template}`))),
    nodeRoleArns: settings.nodeRole === undefined ? [] : [`arn:${partition}:iam::${account}:role/${settings.nodeRole}`],
    quarantineGroupArns: unique(Object.values(parts.quarantineGroupIds)).map((group) =>
      arn('ec2', `security-group/${group}`),
    ),
  };
}

/** What every step finds in its environment. */
export function stepEnvironment(
  place: DeploymentPlace,
  parts: FoundationParts,
  settings: AppSettings,
): Readonly<Record<string, string>> {
  const { partition, region, account } = place;
  return {
    REJOIN_TABLE: parts.tableName,
    REJOIN_BACKUPS_BUCKET: parts.backupsBucketName,
    REJOIN_EVIDENCE_BUCKET: parts.evidenceBucketName,
    REJOIN_TOPIC_ARN: parts.topicArn,
    REJOIN_EVENT_BUS: parts.eventBusName,
    REJOIN_SETTINGS_PREFIX: settingsPrefix,
    REJOIN_ZONE_ID: settings.zone.id,
    REJOIN_MACHINE_ARN_PREFIX: `arn:${partition}:states:${region}:${account}:stateMachine:rejoin-`,
    REJOIN_PROBER_FUNCTIONS: JSON.stringify(
      Object.fromEntries([...sitesOf(settings).keys()].map((site) => [site, proberName(site)])),
    ),
  };
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}
