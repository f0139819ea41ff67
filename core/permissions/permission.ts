/** Everything that a permission may have to name. Values may be placeholders of the deployment, so never parse them. */
export interface ResourceNames {
  readonly partition: string;
  readonly region: string;
  readonly account: string;
  /** The names of the clusters in rejoin.yaml. */
  readonly clusters: readonly string[];
  readonly tableArn: string;
  readonly backupsBucketArn: string;
  readonly evidenceBucketArn: string;
  /** The key that encrypts table, buckets and topic. */
  readonly keyArn: string;
  readonly topicArn: string;
  readonly eventBusArn: string;
  readonly hostedZoneArn: string;
  /** The parameters with the clusters' settings, one a cluster. */
  readonly settingsParameterArns: readonly string[];
  /** The clusters' database secrets. */
  readonly secretArns: readonly string[];
  readonly proberFunctionArns: readonly string[];
  /** The subnets in which replacements are launched. */
  readonly subnetArns: readonly string[];
  readonly launchTemplateArns: readonly string[];
  /** The role of the machines' instance profile: the only one that a launch may pass on. */
  readonly nodeRoleArns: readonly string[];
  /** The security groups without rules, which fence a machine. */
  readonly quarantineGroupArns: readonly string[];
}

/** Operator → condition key → values, as IAM writes them. */
export type PermissionConditions = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;

/** What a step may do, as data: an IAM statement that allows, without the CDK. */
export interface Permission {
  /** Says in CamelCase what it is for. */
  readonly sid: string;
  /** Never with a wildcard. */
  readonly actions: readonly string[];
  /** An empty answer leaves the statement out: there is nothing to allow. */
  readonly resources: (names: ResourceNames) => readonly string[];
  readonly conditions?: (names: ResourceNames) => PermissionConditions;
  /** Why a resource has a `*` in it: needed exactly then. */
  readonly wildcardReason?: string;
}

export type PermissionList = readonly Permission[];

/** The tag of every machine that Rejoin may change; its value is the cluster's name. */
export const clusterTag = 'rejoin:cluster';

/** The resource belongs to one of our clusters. */
export function taggedAsOurs(names: ResourceNames): PermissionConditions {
  return { StringEquals: { [`aws:ResourceTag/${clusterTag}`]: names.clusters } };
}

/** The request makes a resource of one of our clusters. */
export function taggingAsOurs(names: ResourceNames): PermissionConditions {
  return { StringEquals: { [`aws:RequestTag/${clusterTag}`]: names.clusters } };
}

/** The key may be used through this service only: `dynamodb`, `s3`, `sns`. */
export function throughService(service: string): (names: ResourceNames) => PermissionConditions {
  return (names) => ({ StringEquals: { 'kms:ViaService': `${service}.${names.region}.amazonaws.com` } });
}

/** The ARN of resources of this account and Region: `arnOf(names, 'ec2', 'instance/*')`. */
export function arnOf(names: ResourceNames, service: string, resource: string): string {
  return `arn:${names.partition}:${service}:${names.region}:${names.account}:${resource}`;
}
