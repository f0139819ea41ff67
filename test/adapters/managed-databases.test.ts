import {
  CreateDBInstanceCommand,
  DeleteDBInstanceCommand,
  DescribeDBInstancesCommand,
  ModifyDBInstanceCommand,
  RDSClient,
  RebootDBInstanceCommand,
  StopDBInstanceCommand,
} from '@aws-sdk/client-rds';
import { mockClient } from 'aws-sdk-client-mock';
import { RdsManagedDatabases } from '../../adapters/aws/managed-databases';
import { managedStateOf } from '../../adapters/aws/managed-state';
import { expectError } from '../contract/expect-error';
import { clusterSettings } from '../support/cluster-settings';

const rds = mockClient(RDSClient);
const managed = new RdsManagedDatabases(
  new RDSClient({ region: 'eu-central-1' }),
  { cluster: () => Promise.resolve(clusterSettings()) },
  { credentials: () => Promise.resolve({ username: 'dba', password: 'hush' }) },
);
const order = {
  cluster: 'orders',
  nodeId: 'node-2-r1',
  site: 'a',
  instanceIdentifier: 'orders-node-2-r1',
  like: 'orders-1',
  snapshotId: null,
  quarantineGroup: 'sg-none',
};

function rdsError(name: string): Error {
  return Object.assign(new Error('what RDS said'), { name, $metadata: { httpStatusCode: 400 } });
}

function isThere(DBInstanceStatus: string): void {
  rds.on(DescribeDBInstancesCommand).resolves({
    DBInstances: [
      {
        DBInstanceIdentifier: 'orders-1',
        DBInstanceStatus,
        OptionGroupMemberships: [{ OptionGroupName: 'default:postgres-17' }],
        DBSubnetGroup: {
          Subnets: [{ SubnetIdentifier: 'subnet-a', SubnetAvailabilityZone: { Name: 'eu-central-1a' } }],
        },
      },
    ],
  });
}

beforeEach(() => {
  rds.reset();
  isThere('available');
});

test.each([
  ['backing-up', 'available'],
  ['stopped', 'stopped'],
  ['starting', 'creating'],
  ['incompatible-network', 'failed'],
  ['storage-full', 'failed'],
  // Neither proof that it serves nor that it has stopped.
  ['something-new', 'rebooting'],
  ['', 'rebooting'],
] as const)("RDS's %s is %s", (status, state) => {
  expect(managedStateOf(status)).toBe(state);
});

test.each([
  ['InsufficientDBInstanceCapacityFault', 'CapacityShort'],
  ['InstanceQuotaExceededFault', 'CapacityShort'],
  ['StorageQuotaExceededFault', 'ApiRefused'],
  ['Throttling', 'ApiThrottled'],
] as const)('a creation that RDS answers with %s is %s, without the password', async (code, name) => {
  rds.on(CreateDBInstanceCommand).rejects(rdsError(code));
  const message = await expectError(managed.create(order), name, 'orders-node-2-r1', code);
  expect(message).not.toContain('hush');
});

test('an instance begins in quarantine, in the zone of its site’s subnet', async () => {
  rds.on(CreateDBInstanceCommand).resolves({ DBInstance: { DBInstanceIdentifier: 'orders-node-2-r1' } });
  await managed.create(order);
  const input = rds.commandCalls(CreateDBInstanceCommand)[0]?.args[0].input;
  expect(input).toMatchObject({ VpcSecurityGroupIds: ['sg-none'], AvailabilityZone: 'eu-central-1a', MultiAZ: false });
  expect(input?.OptionGroupName).toBeUndefined();
  expect(input?.Tags).toContainEqual({ Key: 'rejoin:cluster', Value: 'orders' });
});

test.each([
  ['stopped', null],
  ['modifying', 'ApiThrottled'],
  ['failed', 'ApiRefused'],
] as const)('quarantine of an instance that is %s ends with %s', async (status, name) => {
  isThere(status);
  rds.on(ModifyDBInstanceCommand).resolves({});
  rds.on(RebootDBInstanceCommand).rejects(rdsError('InvalidDBInstanceStateFault'));
  const outcome = await managed.quarantine('orders-1', 'sg-none').then(
    () => null,
    (thrown: unknown) => (thrown as Error).name,
  );
  expect(outcome).toBe(name);
});

test.each([
  ['stopping', null],
  ['available', 'ApiRefused'],
] as const)('a stop refused of an instance that is %s ends with %s', async (status, name) => {
  isThere(status);
  rds.on(StopDBInstanceCommand).rejects(rdsError('InvalidDBInstanceStateFault'));
  const outcome = await managed.stop('orders-1').then(
    () => null,
    (thrown: unknown) => (thrown as Error).name,
  );
  expect(outcome).toBe(name);
});

test('a deletion under way is not ordered again; another state is an error', async () => {
  rds.on(DeleteDBInstanceCommand).rejects(rdsError('InvalidDBInstanceStateFault'));
  isThere('deleting');
  await expect(managed.remove('orders-1')).resolves.toBeUndefined();
  isThere('creating');
  await expectError(managed.remove('orders-1'), 'ApiRefused', 'orders-1');
});
