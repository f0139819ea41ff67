import {
  CreateDBInstanceCommand,
  type CreateDBInstanceCommandInput,
  type DBInstance,
  DeleteDBInstanceCommand,
  DescribeDBInstancesCommand,
  DescribeDBSnapshotsCommand,
  ModifyDBInstanceCommand,
  type RDSClient,
  RebootDBInstanceCommand,
  RestoreDBInstanceFromDBSnapshotCommand,
  type DBSnapshot,
  StopDBInstanceCommand,
} from '@aws-sdk/client-rds';
import type { ClusterSettings } from '../../core/cluster/settings';
import { isRejoinError, RejoinError } from '../../core/errors';
import { clusterTag } from '../../core/permissions/permission';
import type {
  ManagedDatabases,
  ManagedObservation,
  ManagedOrder,
  ManagedSnapshot,
} from '../../core/ports/managed-databases';
import type { Secrets, Settings } from '../../core/ports/surroundings';
import { apiError, ask, askIfThere, codeOf, type Meanings } from './api-error';
import { managedStateOf } from './managed-state';
import { nodeTag, siteTag } from './tags';

/** Modelled errors carry `Fault` in the SDK's name, and not in the API's code. */
const noInstance: Meanings = { DBInstanceNotFound: 'NotFound', DBInstanceNotFoundFault: 'NotFound' };
const noCapacity: Meanings = {
  InsufficientDBInstanceCapacity: 'CapacityShort',
  InsufficientDBInstanceCapacityFault: 'CapacityShort',
  InstanceQuotaExceeded: 'CapacityShort',
  InstanceQuotaExceededFault: 'CapacityShort',
};
const existsCodes = ['DBInstanceAlreadyExists', 'DBInstanceAlreadyExistsFault'];
const wrongStateCodes = ['InvalidDBInstanceState', 'InvalidDBInstanceStateFault'];
/** Moving it between groups takes a moment, in which it can be neither rebooted nor stopped. */
const laterPerhaps: Meanings = Object.fromEntries(wrongStateCodes.map((code) => [code, 'ApiThrottled']));

/** RDS instances. */
export class RdsManagedDatabases implements ManagedDatabases {
  constructor(
    private readonly client: RDSClient,
    private readonly settings: Settings,
    private readonly secrets: Secrets,
  ) {}

  async observe(instanceIdentifier: string): Promise<ManagedObservation | null> {
    const found = await this.find(instanceIdentifier);
    return found === null ? null : observation(found);
  }

  async stop(instanceIdentifier: string): Promise<void> {
    try {
      await this.client.send(new StopDBInstanceCommand({ DBInstanceIdentifier: instanceIdentifier }));
    } catch (thrown) {
      const found = wrongStateCodes.includes(codeOf(thrown)) ? await this.find(instanceIdentifier) : null;
      const state = found === null ? null : observation(found).state;
      if (state !== 'stopped' && state !== 'stopping') {
        throw apiError(`stop instance '${instanceIdentifier}'`, thrown, {
          ...noInstance,
          ...(found?.DBInstanceStatus === 'modifying' ? laterPerhaps : {}),
        });
      }
    }
  }

  async isolate(instanceIdentifier: string, quarantineGroup: string): Promise<void> {
    await this.moveTo(instanceIdentifier, [quarantineGroup]);
  }

  async quarantine(instanceIdentifier: string, quarantineGroup: string): Promise<void> {
    await this.moveTo(instanceIdentifier, [quarantineGroup]);
    try {
      await this.client.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: instanceIdentifier }));
    } catch (thrown) {
      const wrongState = wrongStateCodes.includes(codeOf(thrown));
      const state = wrongState ? (await this.find(instanceIdentifier))?.DBInstanceStatus : null;
      // A stopped instance has no sessions that a reboot would have to end.
      if (state === 'stopped') {
        return;
      }
      throw apiError(`reboot instance '${instanceIdentifier}', which is ${state ?? 'unknown'}`, thrown, {
        ...noInstance,
        ...(state === 'modifying' ? laterPerhaps : {}),
      });
    }
  }

  async release(instanceIdentifier: string, like: string): Promise<void> {
    await this.moveTo(instanceIdentifier, groupsOf(await this.existing(like)));
  }

  async snapshots(instanceIdentifier: string): Promise<readonly ManagedSnapshot[]> {
    const found: DBSnapshot[] = [];
    let marker: string | undefined;
    do {
      const page = await askIfThere(
        `list the snapshots of instance '${instanceIdentifier}'`,
        this.client.send(
          new DescribeDBSnapshotsCommand({
            DBInstanceIdentifier: instanceIdentifier,
            ...(marker === undefined ? {} : { Marker: marker }),
          }),
        ),
        noInstance,
      );
      found.push(...(page?.DBSnapshots ?? []));
      marker = page?.Marker;
    } while (marker !== undefined);
    return found
      .flatMap(({ DBSnapshotIdentifier, SnapshotCreateTime, EngineVersion, Status }) =>
        Status !== 'available' || DBSnapshotIdentifier === undefined || SnapshotCreateTime === undefined
          ? []
          : [
              {
                snapshotId: DBSnapshotIdentifier,
                takenAtMs: SnapshotCreateTime.getTime(),
                engineVersion: EngineVersion ?? '',
              },
            ],
      )
      .sort((left, right) => right.takenAtMs - left.takenAtMs);
  }

  async create(order: ManagedOrder): Promise<ManagedObservation> {
    const [like, cluster] = [await this.existing(order.like), await this.settings.cluster(order.cluster)];
    const asked = `create instance '${order.instanceIdentifier}' in ${order.site}${order.snapshotId === null ? '' : ` from snapshot '${order.snapshotId}'`}`;
    const common = sharedInput(order, like, zoneOf(order, cluster, like));
    try {
      const { DBInstance: created } = await (order.snapshotId === null
        ? this.createEmpty(common, like, cluster)
        : this.client.send(
            new RestoreDBInstanceFromDBSnapshotCommand({ ...common, DBSnapshotIdentifier: order.snapshotId }),
          ));
      if (created === undefined) {
        throw new RejoinError('ApiRefused', `can't ${asked}: RDS answered without an instance`);
      }
      return { ...observation(created), site: order.site };
    } catch (thrown) {
      const earlier = existsCodes.includes(codeOf(thrown)) ? await this.observe(order.instanceIdentifier) : null;
      if (earlier !== null) {
        return earlier;
      }
      throw apiError(asked, thrown, noCapacity);
    }
  }

  async remove(instanceIdentifier: string): Promise<void> {
    try {
      await askIfThere(
        `delete instance '${instanceIdentifier}'`,
        this.client.send(
          new DeleteDBInstanceCommand({
            DBInstanceIdentifier: instanceIdentifier,
            SkipFinalSnapshot: true,
            DeleteAutomatedBackups: true,
          }),
        ),
        noInstance,
      );
    } catch (thrown) {
      const wrongState = isRejoinError(thrown) && wrongStateCodes.includes(codeOf(thrown.cause));
      if (!wrongState || (await this.observe(instanceIdentifier))?.state !== 'deleting') {
        throw thrown;
      }
    }
  }

  private async createEmpty(
    common: SharedInput,
    like: DBInstance,
    cluster: ClusterSettings,
  ): Promise<{ readonly DBInstance?: DBInstance | undefined }> {
    const { username, password } = await this.secrets.credentials(cluster.secret);
    return this.client.send(
      new CreateDBInstanceCommand({
        ...common,
        Engine: like.Engine,
        EngineVersion: like.EngineVersion,
        AllocatedStorage: like.AllocatedStorage,
        StorageEncrypted: like.StorageEncrypted,
        ...(like.StorageEncrypted === true ? { KmsKeyId: like.KmsKeyId } : {}),
        BackupRetentionPeriod: like.BackupRetentionPeriod,
        DBName: cluster.database,
        MasterUsername: username,
        MasterUserPassword: password,
      }),
    );
  }

  private async moveTo(instanceIdentifier: string, groups: readonly string[]): Promise<void> {
    await ask(
      `move instance '${instanceIdentifier}' into groups ${groups.join(', ')}`,
      this.client.send(
        new ModifyDBInstanceCommand({
          DBInstanceIdentifier: instanceIdentifier,
          VpcSecurityGroupIds: [...groups],
          ApplyImmediately: true,
        }),
      ),
      noInstance,
    );
  }

  private async find(instanceIdentifier: string): Promise<DBInstance | null> {
    const answer = await askIfThere(
      `describe instance '${instanceIdentifier}'`,
      this.client.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: instanceIdentifier })),
      noInstance,
    );
    return answer?.DBInstances?.[0] ?? null;
  }

  private async existing(instanceIdentifier: string): Promise<DBInstance> {
    const found = await this.find(instanceIdentifier);
    if (found === null) {
      throw new RejoinError('NotFound', `there is no instance '${instanceIdentifier}'`);
    }
    return found;
  }
}

type SharedInput = Pick<
  CreateDBInstanceCommandInput,
  | 'DBInstanceIdentifier'
  | 'DBInstanceClass'
  | 'DBSubnetGroupName'
  | 'VpcSecurityGroupIds'
  | 'AvailabilityZone'
  | 'DBParameterGroupName'
  | 'OptionGroupName'
  | 'StorageType'
  | 'Iops'
  | 'StorageThroughput'
  | 'Port'
  | 'MultiAZ'
  | 'PubliclyAccessible'
  | 'AutoMinorVersionUpgrade'
  | 'CopyTagsToSnapshot'
  | 'Tags'
>;

/** What an empty and a restored instance have in common with the one that they are like. It begins in quarantine. */
function sharedInput(order: ManagedOrder, like: DBInstance, zone: string): SharedInput {
  return {
    DBInstanceIdentifier: order.instanceIdentifier,
    DBInstanceClass: like.DBInstanceClass,
    DBSubnetGroupName: like.DBSubnetGroup?.DBSubnetGroupName,
    VpcSecurityGroupIds: [order.quarantineGroup],
    AvailabilityZone: zone,
    DBParameterGroupName: like.DBParameterGroups?.[0]?.DBParameterGroupName,
    OptionGroupName: ownOptionGroup(like),
    StorageType: like.StorageType,
    Iops: like.Iops,
    StorageThroughput: like.StorageThroughput,
    Port: like.Endpoint?.Port ?? like.DbInstancePort,
    MultiAZ: false,
    PubliclyAccessible: like.PubliclyAccessible,
    AutoMinorVersionUpgrade: like.AutoMinorVersionUpgrade,
    CopyTagsToSnapshot: true,
    Tags: [
      { Key: clusterTag, Value: order.cluster },
      { Key: nodeTag, Value: order.nodeId },
      { Key: siteTag, Value: order.site },
    ],
  };
}

/** RDS makes the default groups itself when they are first needed, and takes them by name only after that. */
function ownOptionGroup(like: DBInstance): string | undefined {
  const names = (like.OptionGroupMemberships ?? []).flatMap(({ OptionGroupName }) => OptionGroupName ?? []);
  return names.find((name) => !name.startsWith('default:'));
}

/** The Availability Zone of a site: that of its subnet, which the instance's subnet group knows. */
function zoneOf(order: ManagedOrder, cluster: ClusterSettings, like: DBInstance): string {
  const subnetId = cluster.sites[order.site]?.subnetId;
  const subnets = like.DBSubnetGroup?.Subnets ?? [];
  const zone = subnets.find(({ SubnetIdentifier }) => SubnetIdentifier === subnetId)?.SubnetAvailabilityZone?.Name;
  if (subnetId === undefined || zone === undefined) {
    throw new RejoinError(
      'ApiRefused',
      `site '${order.site}' of cluster '${order.cluster}' has no subnet in the subnet group of instance '${order.like}' (sites: ${Object.keys(cluster.sites).join(', ')}; subnets: ${subnets.map(({ SubnetIdentifier }) => SubnetIdentifier).join(', ') || 'none'})`,
    );
  }
  return zone;
}

function groupsOf(instance: DBInstance): readonly string[] {
  return (instance.VpcSecurityGroups ?? []).flatMap(({ VpcSecurityGroupId }) => VpcSecurityGroupId ?? []);
}

function observation(instance: DBInstance): ManagedObservation {
  const { DBInstanceIdentifier, DBInstanceStatus, Endpoint, AvailabilityZone, TagList } = instance;
  return {
    instanceIdentifier: DBInstanceIdentifier ?? '',
    state: managedStateOf(DBInstanceStatus ?? ''),
    host: Endpoint?.Address ?? null,
    port: Endpoint?.Port ?? null,
    site: TagList?.find(({ Key }) => Key === siteTag)?.Value ?? AvailabilityZone ?? null,
  };
}
