import {
  CreateLaunchTemplateCommand,
  CreateSecurityGroupCommand,
  CreateSnapshotCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  EC2Client,
} from '@aws-sdk/client-ec2';
import { Ec2Machines } from '../../adapters/aws/machines';
import { nodeTag } from '../../adapters/aws/tags';
import { clusterTag } from '../../core/permissions/permission';
import { clusterSettings } from '../support/cluster-settings';
import { startMoto, type Moto } from '../support/moto';
import { eventually } from './gaps';
import { describeMachinesContract } from './machines';

let moto: Moto;
let client: EC2Client;
let clusters = 0;

beforeAll(async () => {
  moto = await startMoto();
  client = new EC2Client(moto.client);
});
afterAll(async () => {
  client.destroy();
  await moto.close();
});

describeMachinesContract(
  'EC2',
  async () => {
    clusters += 1;
    const cluster = `orders-${clusters}`;
    const network = await makeNetwork(cluster);
    const settings = clusterSettings({
      name: cluster,
      launchTemplate: network.launchTemplate,
      sites: { a: { subnetId: network.subnets[0] }, b: { subnetId: network.subnets[1] } },
    });
    const machines = new Ec2Machines(client, { cluster: () => Promise.resolve(settings) });
    return {
      machines,
      cluster,
      sites: ['a', 'b'],
      quarantineGroup: network.quarantineGroup,
      // moto has room for every machine.
      exhaust: () => Promise.resolve(),
      snapshot: takeSnapshot,
      isolated: async (machineId) => {
        const found = await describe(machineId);
        return found?.SecurityGroups?.length === 1 && found.SecurityGroups[0]?.GroupId === network.quarantineGroup;
      },
      close: async () => {
        for (const { machineId } of await machines.list(cluster)) {
          await machines.terminate(machineId);
        }
      },
    };
  },
  ['capacity', 'client tokens', 'token with other parameters'],
);

async function makeNetwork(
  cluster: string,
): Promise<{ subnets: [string, string]; launchTemplate: string; quarantineGroup: string }> {
  const vpc = await client.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }));
  const VpcId = vpc.Vpc?.VpcId;
  const subnet = async (zone: string, block: string): Promise<string> => {
    const made = await client.send(
      new CreateSubnetCommand({ VpcId, CidrBlock: block, AvailabilityZone: `eu-central-1${zone}` }),
    );
    return given(made.Subnet?.SubnetId);
  };
  const image = await client.send(new DescribeImagesCommand({ Owners: ['amazon'] }));
  const template = await client.send(
    new CreateLaunchTemplateCommand({
      LaunchTemplateName: cluster,
      LaunchTemplateData: {
        ImageId: given(image.Images?.[0]?.ImageId),
        InstanceType: 'm6i.large',
        BlockDeviceMappings: [{ DeviceName: '/dev/sdf', Ebs: { VolumeSize: 8 } }],
      },
    }),
  );
  const group = await client.send(
    new CreateSecurityGroupCommand({ VpcId, GroupName: `${cluster}-quarantine`, Description: 'no rules' }),
  );
  return {
    subnets: [await subnet('a', '10.0.0.0/24'), await subnet('b', '10.0.1.0/24')],
    launchTemplate: given(template.LaunchTemplate?.LaunchTemplateId),
    quarantineGroup: given(group.GroupId),
  };
}

async function describe(machineId: string) {
  const answer = await client.send(new DescribeInstancesCommand({ InstanceIds: [machineId] }));
  return answer.Reservations?.[0]?.Instances?.[0];
}

async function takeSnapshot(machineId: string): Promise<string> {
  const found = await describe(machineId);
  const tags = (found?.Tags ?? []).filter(({ Key }) => Key === clusterTag || Key === nodeTag);
  const made = await client.send(
    new CreateSnapshotCommand({
      VolumeId: found?.BlockDeviceMappings?.[0]?.Ebs?.VolumeId,
      TagSpecifications: [{ ResourceType: 'snapshot', Tags: tags }],
    }),
  );
  // moto counts in whole seconds: the next snapshot shall be a newer one.
  await eventually(
    () => Promise.resolve(Date.now()),
    (nowMs) => Math.floor(nowMs / 1_000) > Math.floor((made.StartTime?.getTime() ?? 0) / 1_000),
  );
  return given(made.SnapshotId);
}

function given(id: string | undefined): string {
  if (id === undefined) {
    throw new Error('moto made something without an id');
  }
  return id;
}
