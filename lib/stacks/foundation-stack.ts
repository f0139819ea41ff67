import type { StackProps } from 'aws-cdk-lib';
import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import { AttributeType, BillingMode, Table, TableEncryption } from 'aws-cdk-lib/aws-dynamodb';
import { type IVpc, Peer, Port, SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { EventBus } from 'aws-cdk-lib/aws-events';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { type IKey, Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { ParameterTier, StringParameter } from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import { registryTable } from '../../adapters/aws/registry.permissions';
import { settingsPrefix } from '../../adapters/aws/settings.permissions';
import type { ClusterSettings } from '../../core/cluster/settings';
import type { AppSettings } from '../config/app-settings';
import { AgentPolicy } from '../constructs/agent-policy';
import { Endpoints } from '../constructs/endpoints';
import { FoundationBuckets } from '../constructs/foundation-buckets';
import { foundationKey } from '../constructs/foundation-key';
import { Prober } from '../constructs/prober';
import { provideSurroundings } from '../constructs/surroundings';
import type { FoundationParts } from './foundation-names';
import { resourceNames, sitesOf, stepEnvironment } from './foundation-names';

export interface FoundationStackProps extends StackProps {
  readonly settings: AppSettings;
}

/** More than this does not fit a standard parameter. */
const standardParameterBytes = 4_096;

/** What every workflow stands on: registry, buckets, key, topic, event bus, settings, probers. It is never left out. */
export class FoundationStack extends Stack {
  private readonly settings: AppSettings;
  private readonly removal: RemovalPolicy;
  /** What other stacks know of this one. */
  private readonly shared: FoundationParts;

  constructor(scope: Construct, id: string, props: FoundationStackProps) {
    super(scope, id, { description: 'Rejoin: registry, backups, evidence, settings, notifications', ...props });
    this.settings = props.settings;
    this.removal = this.settings.removal === 'destroy' ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN;
    const key = foundationKey(this, 'Key', {
      removalPolicy: this.removal,
      keyArn: this.settings.keyArn ?? null,
    });
    const table = this.makeTable(key);
    const { backups, evidence } = new FoundationBuckets(this, 'Buckets', {
      key,
      removalPolicy: this.removal,
      objectLockDays: this.settings.objectLockDays ?? null,
    });
    const topic = this.makeTopic(key);
    const bus = new EventBus(this, 'Bus', {
      eventBusName: 'rejoin',
      description: 'What agents and workflows announce',
    });
    const vpc = this.findVpc();
    const parts: FoundationParts = {
      tableName: table.tableName,
      tableArn: table.tableArn,
      backupsBucketName: backups.bucketName,
      backupsBucketArn: backups.bucketArn,
      evidenceBucketName: evidence.bucketName,
      evidenceBucketArn: evidence.bucketArn,
      keyArn: key.keyArn,
      topicArn: topic.topicArn,
      eventBusName: bus.eventBusName,
      eventBusArn: bus.eventBusArn,
      stepsGroupId: this.makeStepsGroup(vpc).securityGroupId,
      quarantineGroupIds: this.makeSettings(vpc),
    };
    this.shared = this.share(parts);
    this.provide(this, parts);
    this.makeProbers(parts.stepsGroupId);
    this.makeEndpoints(vpc);
    new AgentPolicy(this, 'Agents', { nodeRole: this.settings.nodeRole ?? null });
  }

  /** Lets the steps, machines and triggers of another stack find what they stand on. */
  provideTo(stack: Stack): void {
    stack.addStackDependency(this);
    this.provide(stack, this.shared);
  }

  /** Everything is known by its name only: a grant in one stack must not change a policy in another. */
  private provide(stack: Stack, parts: FoundationParts): void {
    provideSurroundings(stack, {
      names: resourceNames(stack, parts, this.settings),
      environment: stepEnvironment(stack, parts, this.settings),
      key: Key.fromKeyArn(stack, 'KeyByName', parts.keyArn),
      topic: Topic.fromTopicArn(stack, 'TopicByName', parts.topicArn),
      bus: EventBus.fromEventBusArn(stack, 'BusByName', parts.eventBusArn),
      subnetIds: [...sitesOf(this.settings).values()],
      stepsGroupId: parts.stepsGroupId,
      removal: this.removal,
    });
  }

  /** Exports each part under a name that people can read; other stacks import it. */
  private share({ quarantineGroupIds, ...parts }: FoundationParts): FoundationParts {
    const share = (name: string, value: string): string => this.exportValue(value, { name: `rejoin-${name}` });
    const shared = Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, share(kebab(name), value)]));
    return {
      ...(shared as typeof parts),
      quarantineGroupIds: Object.fromEntries(
        Object.entries(quarantineGroupIds).map(([cluster, group]) => [cluster, share(`quarantine-${cluster}`, group)]),
      ),
    };
  }

  /** The network is there already, and nothing is looked up: synthesis needs no account. */
  private findVpc(): IVpc {
    return Vpc.fromVpcAttributes(this, 'Vpc', {
      vpcId: this.settings.vpc.id,
      // Demanded, and not used: only security groups are made in it.
      availabilityZones: ['any'],
    });
  }

  private makeTable(key: IKey): Table {
    return new Table(this, 'Registry', {
      partitionKey: { name: registryTable.partitionKey, type: AttributeType.STRING },
      sortKey: { name: registryTable.sortKey, type: AttributeType.STRING },
      timeToLiveAttribute: registryTable.timeToLive,
      billingMode: BillingMode.PAY_PER_REQUEST,
      encryption: TableEncryption.CUSTOMER_MANAGED,
      encryptionKey: key,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: this.removal === RemovalPolicy.RETAIN,
      removalPolicy: this.removal,
    });
  }

  private makeTopic(key: IKey): Topic {
    const topic = new Topic(this, 'Topic', { displayName: 'Rejoin', masterKey: key, enforceSSL: true });
    // A topic with a policy of its own no longer has the one that lets the account's alarms in.
    topic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'Alarms',
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': this.account } },
      }),
    );
    for (const address of this.settings.notify) {
      topic.addSubscription(new EmailSubscription(address));
    }
    return topic;
  }

  private makeStepsGroup(vpc: IVpc): SecurityGroup {
    const group = new SecurityGroup(this, 'StepsGroup', {
      vpc,
      description: 'Steps and probers of Rejoin; let it in where the databases listen',
      allowAllOutbound: false,
    });
    group.addEgressRule(Peer.anyIpv4(), Port.tcp(443), 'APIs of AWS');
    for (const port of new Set(Object.values(this.settings.clusters).map((cluster) => cluster.port))) {
      group.addEgressRule(Peer.anyIpv4(), Port.tcp(port), 'databases');
    }
    return group;
  }

  /** One parameter a cluster: rejoin.yaml as the steps read it. @returns each cluster's quarantine group */
  private makeSettings(vpc: IVpc): Readonly<Record<string, string>> {
    const groups = Object.entries(this.settings.clusters).map(([name, cluster]) => {
      const quarantineGroup = cluster.quarantineGroup ?? this.makeQuarantineGroup(vpc, name);
      const settings: ClusterSettings = { ...cluster, quarantineGroup, name };
      const value = this.toJsonString(settings);
      new StringParameter(this, `Settings-${name}`, {
        parameterName: `${settingsPrefix}/${name}`,
        description: `Cluster ${name} of rejoin.yaml`,
        stringValue: value,
        tier:
          JSON.stringify(settings).length > standardParameterBytes ? ParameterTier.ADVANCED : ParameterTier.STANDARD,
      });
      return [name, quarantineGroup] as const;
    });
    return Object.fromEntries(groups);
  }

  private makeQuarantineGroup(vpc: IVpc, cluster: string): string {
    return new SecurityGroup(this, `Quarantine-${cluster}`, {
      vpc,
      description: `Lets nothing in or out: fences the machines of cluster ${cluster}`,
      allowAllOutbound: false,
      allowAllIpv6Outbound: false,
    }).securityGroupId;
  }

  private makeEndpoints(vpc: IVpc): void {
    const { endpoints, cidr, routeTableIds } = this.settings.vpc;
    // Both are there where endpoints are to be created: the settings were checked.
    if (endpoints === 'create' && cidr !== undefined && routeTableIds !== undefined) {
      new Endpoints(this, 'Endpoints', { vpc, cidr, routeTableIds, subnetIds: [...sitesOf(this.settings).values()] });
    }
  }

  private makeProbers(groupId: string): void {
    for (const [site, subnetId] of sitesOf(this.settings)) {
      new Prober(this, `Prober-${site}`, { site, subnetId, groupId });
    }
  }
}

/** `backupsBucketArn` → `backups-bucket-arn`. */
function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
