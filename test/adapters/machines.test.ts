import {
  CreateSnapshotCommand,
  DescribeInstancesCommand,
  DescribeInstanceStatusCommand,
  DescribeSnapshotsCommand,
  EC2Client,
  RunInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
  type InstanceStateName,
} from '@aws-sdk/client-ec2';
import { mockClient } from 'aws-sdk-client-mock';
import { Ec2Machines } from '../../adapters/aws/machines';
import { expectError } from '../contract/expect-error';
import { clusterSettings } from '../support/cluster-settings';

const ec2 = mockClient(EC2Client);
const settings = clusterSettings({ launchTemplate: 'lt-own', sites: { a: { subnetId: 'subnet-a' } } });
const machines = new Ec2Machines(new EC2Client({ region: 'eu-central-1' }), {
  cluster: () => Promise.resolve(settings),
});

const order = {
  cluster: 'orders',
  nodeId: 'node-3-r1',
  site: 'a',
  clientToken: 'token-1',
  launchTemplate: null,
  volumeSnapshot: null,
};

function ec2Error(name: string, httpStatusCode = 400): Error {
  return Object.assign(new Error('what EC2 said'), { name, $metadata: { httpStatusCode } });
}

function instance(state: InstanceStateName) {
  return {
    InstanceId: 'i-1',
    State: { Name: state },
    PrivateIpAddress: '10.0.0.1',
    Placement: { AvailabilityZone: 'eu-central-1a' },
  };
}

beforeEach(() => {
  ec2.reset();
});

test.each([
  ['InsufficientInstanceCapacity', 'CapacityShort'],
  ['InsufficientFreeAddressesInSubnet', 'CapacityShort'],
  ['VcpuLimitExceeded', 'CapacityShort'],
  ['RequestLimitExceeded', 'ApiThrottled'],
  ['UnauthorizedOperation', 'ApiRefused'],
  ['IdempotentParameterMismatch', 'ApiRefused'],
] as const)('a launch that EC2 answers with %s is %s', async (code, name) => {
  ec2.on(RunInstancesCommand).rejects(ec2Error(code));
  await expectError(machines.launch(order), name, 'node-3-r1', 'token-1', code);
});

test('a launch is tagged, once for its token, and from the cluster’s own template', async () => {
  ec2.on(RunInstancesCommand).resolves({ Instances: [instance('pending')] });
  expect(await machines.launch(order)).toEqual({
    machineId: 'i-1',
    state: 'starting',
    healthy: null,
    address: '10.0.0.1',
    site: 'a',
  });
  const input = ec2.commandCalls(RunInstancesCommand)[0]?.args[0].input;
  expect(input).toMatchObject({ ClientToken: 'token-1', SubnetId: 'subnet-a', MinCount: 1, MaxCount: 1 });
  expect(input?.LaunchTemplate?.LaunchTemplateId).toBe('lt-own');
  expect(input?.BlockDeviceMappings).toBeUndefined();
  expect(input?.TagSpecifications?.map(({ ResourceType }) => ResourceType)).toEqual(['instance', 'volume']);
  for (const { Tags } of input?.TagSpecifications ?? []) {
    expect(Tags).toContainEqual({ Key: 'rejoin:cluster', Value: 'orders' });
    expect(Tags).toContainEqual({ Key: 'rejoin:node', Value: 'node-3-r1' });
  }
});

test('a volume made from a snapshot goes with its machine', async () => {
  ec2.on(RunInstancesCommand).resolves({ Instances: [instance('pending')] });
  await machines.launch({ ...order, launchTemplate: 'lt-other', volumeSnapshot: 'snap-1' });
  const input = ec2.commandCalls(RunInstancesCommand)[0]?.args[0].input;
  expect(input?.LaunchTemplate?.LaunchTemplateId).toBe('lt-other');
  expect(input?.BlockDeviceMappings?.[0]?.Ebs).toEqual({ SnapshotId: 'snap-1', DeleteOnTermination: true });
});

describe('a snapshot', () => {
  const tags = [
    { Key: 'rejoin:cluster', Value: 'orders' },
    { Key: 'rejoin:node', Value: 'node-2' },
  ];
  const volumes = [
    { DeviceName: '/dev/xvda', Ebs: { VolumeId: 'vol-root' } },
    { DeviceName: '/dev/sdf', Ebs: { VolumeId: 'vol-data' } },
  ];
  const wanted = { cluster: 'orders', machineId: 'i-1', clientToken: 'token-9' };

  function answering(facts: object): void {
    ec2.on(DescribeSnapshotsCommand).resolves({ Snapshots: [] });
    ec2
      .on(DescribeInstancesCommand)
      .resolves({ Reservations: [{ Instances: [{ ...instance('running'), Tags: tags, ...facts }] }] });
    ec2.on(CreateSnapshotCommand).resolves({ SnapshotId: 'snap-1' });
  }

  test('is one of the data volume, and bears cluster, node and token', async () => {
    answering({ BlockDeviceMappings: volumes });
    expect(await machines.takeSnapshot(wanted)).toEqual({ snapshotId: 'snap-1' });
    const input = ec2.commandCalls(CreateSnapshotCommand)[0]?.args[0].input;
    expect(input?.VolumeId).toBe('vol-data');
    expect(input?.TagSpecifications?.[0]).toMatchObject({ ResourceType: 'snapshot' });
    for (const tag of [...tags, { Key: 'rejoin:token', Value: 'token-9' }]) {
      expect(input?.TagSpecifications?.[0]?.Tags).toContainEqual(tag);
    }
  });

  test('that has begun for the same token is not begun again', async () => {
    ec2
      .on(DescribeSnapshotsCommand, {
        OwnerIds: ['self'],
        Filters: [
          { Name: 'tag:rejoin:cluster', Values: ['orders'] },
          { Name: 'tag:rejoin:token', Values: ['token-9'] },
        ],
      })
      .resolves({ Snapshots: [{ SnapshotId: 'snap-0', State: 'pending' }] });
    expect(await machines.takeSnapshot(wanted)).toEqual({ snapshotId: 'snap-0' });
    expect(ec2.commandCalls(CreateSnapshotCommand)).toEqual([]);
  });

  test('needs a volume of its own, and the tags of a node', async () => {
    answering({ BlockDeviceMappings: volumes.slice(0, 1) });
    await expectError(machines.takeSnapshot(wanted), 'ApiRefused', 'no volume at /dev/sdf');
    answering({ BlockDeviceMappings: volumes, Tags: tags.slice(0, 1) });
    await expectError(machines.takeSnapshot(wanted), 'ApiRefused', 'rejoin:node = none');
    expect(ec2.commandCalls(CreateSnapshotCommand)).toEqual([]);
  });

  test.each([
    ['pending', 'pending'],
    ['completed', 'usable'],
    ['error', 'failed'],
    ['recoverable', 'failed'],
    ['recovering', 'pending'],
  ] as const)('that EC2 calls %s is %s', async (said, state) => {
    ec2.on(DescribeSnapshotsCommand).resolves({ Snapshots: [{ SnapshotId: 'snap-1', State: said }] });
    expect(await machines.snapshotState('snap-1')).toBe(state);
  });
});

test.each([
  ['ok', 'ok', true],
  ['impaired', 'ok', false],
  ['initializing', 'impaired', false],
  ['initializing', 'ok', null],
  ['insufficient-data', 'ok', null],
  ['not-applicable', 'not-applicable', null],
] as const)('checks %s and %s make healthy %s', async (own, system, healthy) => {
  ec2.on(DescribeInstancesCommand).resolves({ Reservations: [{ Instances: [instance('running')] }] });
  ec2.on(DescribeInstanceStatusCommand).resolves({
    InstanceStatuses: [{ InstanceId: 'i-1', InstanceStatus: { Status: own }, SystemStatus: { Status: system } }],
  });
  expect(await machines.observe('i-1')).toMatchObject({ healthy, site: 'eu-central-1a' });
});

test('a machine that is shutting down has not stopped yet', async () => {
  ec2.on(DescribeInstancesCommand).resolves({ Reservations: [{ Instances: [instance('shutting-down')] }] });
  expect(await machines.observe('i-1')).toMatchObject({ state: 'stopping', healthy: null });
});

test('a machine that EC2 does not know yet is null; one that it does not tell of is an error', async () => {
  ec2.on(DescribeInstancesCommand).rejects(ec2Error('InvalidInstanceID.NotFound'));
  expect(await machines.observe('i-1')).toBeNull();
  ec2.on(DescribeInstancesCommand).rejects(ec2Error('UnauthorizedOperation', 403));
  await expectError(machines.observe('i-1'), 'ApiRefused', 'i-1');
});

test('a stop is forced; a machine that is gone is not stopped, but terminated', async () => {
  ec2.on(StopInstancesCommand).resolvesOnce({}).rejects(ec2Error('InvalidInstanceID.NotFound'));
  await machines.stop('i-1');
  expect(ec2.commandCalls(StopInstancesCommand)[0]?.args[0].input.Force).toBe(true);
  await expectError(machines.stop('i-1'), 'NotFound', 'i-1');
  ec2.on(TerminateInstancesCommand).rejects(ec2Error('InvalidInstanceID.NotFound'));
  await expect(machines.terminate('i-1')).resolves.toBeUndefined();
});

test('a site and a template that are not there are named', async () => {
  await expectError(machines.launch({ ...order, site: 'c' }), 'ApiRefused', "'c'", 'sites: a');
  const without = new Ec2Machines(new EC2Client({ region: 'eu-central-1' }), {
    cluster: () => Promise.resolve(clusterSettings()),
  });
  await expectError(without.launch(order), 'InvalidSettings', 'launchTemplate');
});
