import { CreateSecurityGroupCommand, CreateSubnetCommand, CreateVpcCommand, EC2Client } from '@aws-sdk/client-ec2';
import {
  CreateDBInstanceCommand,
  CreateDBSnapshotCommand,
  CreateDBSubnetGroupCommand,
  DeleteDBSnapshotCommand,
  DescribeDBInstancesCommand,
  DescribeDBSnapshotsCommand,
  RDSClient,
} from '@aws-sdk/client-rds';
import { RdsManagedDatabases } from '../../adapters/aws/managed-databases';
import { siteTag } from '../../adapters/aws/tags';
import { clusterSettings } from '../support/cluster-settings';
import { startMoto, type Moto } from '../support/moto';
import { describeManagedDatabasesContract } from './managed-databases';

let moto: Moto;
let rds: RDSClient;
let ec2: EC2Client;
let snapshots = 0;

beforeAll(async () => {
  moto = await startMoto();
  rds = new RDSClient(moto.client);
  ec2 = new EC2Client(moto.client);
});
afterAll(async () => {
  rds.destroy();
  ec2.destroy();
  await moto.close();
});

describeManagedDatabasesContract(
  'RDS',
  async () => {
    await moto.reset();
    const network = await makeNetwork();
    await makeInstance('orders-1', network);
    const settings = clusterSettings({ sites: { a: { subnetId: network.subnetIds[0] ?? '' } } });
    const credentials = { username: 'administrator', password: 'a-long-password' };
    return {
      managed: new RdsManagedDatabases(
        rds,
        { cluster: () => Promise.resolve(settings) },
        { credentials: () => Promise.resolve(credentials) },
      ),
      cluster: settings.name,
      site: 'a',
      existing: 'orders-1',
      quarantineGroup: network.quarantineGroup,
      snapshot: async (DBInstanceIdentifier) => {
        snapshots += 1;
        const DBSnapshotIdentifier = `snapshot-${snapshots}`;
        await rds.send(new CreateDBSnapshotCommand({ DBInstanceIdentifier, DBSnapshotIdentifier }));
        return DBSnapshotIdentifier;
      },
      // moto stops every instance.
      forbidStop: () => Promise.resolve(),
      isolated: async (DBInstanceIdentifier) => {
        const { DBInstances } = await rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier }));
        const groups = DBInstances?.[0]?.VpcSecurityGroups ?? [];
        return groups.length === 1 && groups[0]?.VpcSecurityGroupId === network.quarantineGroup;
      },
      close: () => Promise.resolve(),
    };
  },
  ['refused stop', 'state check'],
);

interface Network {
  readonly subnetIds: readonly string[];
  readonly quarantineGroup: string;
  readonly group: string;
}

async function makeNetwork(): Promise<Network> {
  const vpc = await ec2.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }));
  const VpcId = vpc.Vpc?.VpcId;
  const subnetIds: string[] = [];
  for (const [zone, CidrBlock] of [
    ['a', '10.0.0.0/24'],
    ['b', '10.0.1.0/24'],
  ] as const) {
    const made = await ec2.send(new CreateSubnetCommand({ VpcId, CidrBlock, AvailabilityZone: `eu-central-1${zone}` }));
    subnetIds.push(made.Subnet?.SubnetId ?? '');
  }
  await rds.send(
    new CreateDBSubnetGroupCommand({
      DBSubnetGroupName: 'orders',
      DBSubnetGroupDescription: 'of the nodes',
      SubnetIds: subnetIds,
    }),
  );
  const groups: string[] = [];
  for (const GroupName of ['quarantine', 'nodes']) {
    const made = await ec2.send(new CreateSecurityGroupCommand({ VpcId, GroupName, Description: GroupName }));
    groups.push(made.GroupId ?? '');
  }
  return { subnetIds, quarantineGroup: groups[0] ?? '', group: groups[1] ?? '' };
}

async function makeInstance(DBInstanceIdentifier: string, network: Network): Promise<void> {
  await rds.send(
    new CreateDBInstanceCommand({
      DBInstanceIdentifier,
      DBInstanceClass: 'db.m6g.large',
      Engine: 'postgres',
      EngineVersion: '17.6',
      AllocatedStorage: 20,
      MasterUsername: 'administrator',
      MasterUserPassword: 'a-long-password',
      DBSubnetGroupName: 'orders',
      VpcSecurityGroupIds: [network.group],
      AvailabilityZone: 'eu-central-1a',
      Tags: [{ Key: siteTag, Value: 'a' }],
    }),
  );
  // moto takes a first automated snapshot at once.
  const { DBSnapshots } = await rds.send(new DescribeDBSnapshotsCommand({ DBInstanceIdentifier }));
  for (const { DBSnapshotIdentifier } of DBSnapshots ?? []) {
    await rds.send(new DeleteDBSnapshotCommand({ DBSnapshotIdentifier }));
  }
}
