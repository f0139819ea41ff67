import {
  CreateSnapshotCommand,
  DescribeInstancesCommand,
  DescribeInstanceStatusCommand,
  DescribeSnapshotsCommand,
  type EC2Client,
  type Filter,
  type Instance,
  type InstanceStateName,
  ModifyInstanceAttributeCommand,
  RunInstancesCommand,
  type RunInstancesCommandInput,
  type Snapshot,
  type SnapshotState as Ec2SnapshotState,
  StopInstancesCommand,
  type Tag,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { ClusterSettings } from '../../core/cluster/settings';
import { RejoinError } from '../../core/errors';
import { clusterTag } from '../../core/permissions/permission';
import type {
  LaunchOrder,
  MachineObservation,
  Machines,
  MachineState,
  SnapshotOrder,
  SnapshotState,
} from '../../core/ports/machines';
import type { Settings } from '../../core/ports/surroundings';
import { ask, askIfThere, type Meanings } from './api-error';
import { nodeTag, siteTag, tokenTag } from './tags';

/** The device of the launch template under which a node's data directory is; one made from a snapshot takes its place. */
const dataDevice = '/dev/sdf';

const noInstance: Meanings = { 'InvalidInstanceID.NotFound': 'NotFound', 'InvalidInstanceID.Malformed': 'NotFound' };

const noSnapshot: Meanings = { 'InvalidSnapshot.NotFound': 'NotFound', 'InvalidSnapshotID.Malformed': 'NotFound' };

const noCapacity: Meanings = {
  InsufficientInstanceCapacity: 'CapacityShort',
  InsufficientHostCapacity: 'CapacityShort',
  InsufficientReservedInstanceCapacity: 'CapacityShort',
  InsufficientFreeAddressesInSubnet: 'CapacityShort',
  InstanceLimitExceeded: 'CapacityShort',
  VcpuLimitExceeded: 'CapacityShort',
  MaxSpotInstanceCountExceeded: 'CapacityShort',
};

const states: Readonly<Record<InstanceStateName, MachineState>> = {
  pending: 'starting',
  running: 'running',
  stopping: 'stopping',
  stopped: 'stopped',
  // Its end has begun, but it may write until it is over.
  'shutting-down': 'stopping',
  terminated: 'terminated',
};

/** One that is being recovered from the recycle bin is as good as not there yet. */
const snapshotStates: Readonly<Record<Ec2SnapshotState, SnapshotState>> = {
  pending: 'pending',
  completed: 'usable',
  error: 'failed',
  recoverable: 'failed',
  recovering: 'pending',
};

/** EC2 instances. */
export class Ec2Machines implements Machines {
  constructor(
    private readonly client: EC2Client,
    private readonly settings: Settings,
  ) {}

  async observe(machineId: string): Promise<MachineObservation | null> {
    const answer = await askIfThere(
      `describe machine '${machineId}'`,
      // A launch is seen by describing after a moment; until then the instance is as good as not there.
      this.client.send(new DescribeInstancesCommand({ InstanceIds: [machineId] })),
      noInstance,
    );
    const found = (answer?.Reservations ?? []).flatMap(({ Instances }) => Instances ?? []);
    return (await this.observations(found))[0] ?? null;
  }

  async list(cluster: string): Promise<readonly MachineObservation[]> {
    const found: Instance[] = [];
    let token: string | undefined;
    do {
      const page = await ask(
        `list the machines of cluster '${cluster}'`,
        this.client.send(
          new DescribeInstancesCommand({
            Filters: [
              tagged(clusterTag, cluster),
              { Name: 'instance-state-name', Values: ['pending', 'running', 'shutting-down', 'stopping', 'stopped'] },
            ],
            ...(token === undefined ? {} : { NextToken: token }),
          }),
        ),
      );
      found.push(...(page.Reservations ?? []).flatMap(({ Instances }) => Instances ?? []));
      token = page.NextToken;
    } while (token !== undefined);
    return this.observations(found);
  }

  async launch(order: LaunchOrder): Promise<MachineObservation> {
    const input = launchInput(order, await this.settings.cluster(order.cluster));
    const { Instances } = await ask(
      `launch a machine for ${order.nodeId} of cluster '${order.cluster}' in ${order.site} (token ${order.clientToken}${order.volumeSnapshot === null ? '' : `, snapshot ${order.volumeSnapshot}`})`,
      this.client.send(new RunInstancesCommand(input)),
      noCapacity,
    );
    const launched = Instances?.[0];
    if (launched === undefined) {
      throw new RejoinError('ApiRefused', `EC2 launched nothing for ${order.nodeId} of cluster '${order.cluster}'`);
    }
    return { ...observation(launched, null), site: order.site };
  }

  async stop(machineId: string): Promise<void> {
    await ask(
      `stop machine '${machineId}'`,
      this.client.send(new StopInstancesCommand({ InstanceIds: [machineId], Force: true })),
      noInstance,
    );
  }

  async quarantine(machineId: string, quarantineGroup: string): Promise<void> {
    await ask(
      `move machine '${machineId}' into group '${quarantineGroup}'`,
      this.client.send(new ModifyInstanceAttributeCommand({ InstanceId: machineId, Groups: [quarantineGroup] })),
      noInstance,
    );
  }

  async terminate(machineId: string): Promise<void> {
    await askIfThere(
      `terminate machine '${machineId}'`,
      this.client.send(new TerminateInstancesCommand({ InstanceIds: [machineId] })),
      noInstance,
    );
  }

  async newestSnapshot(
    cluster: string,
  ): Promise<{ readonly snapshotId: string; readonly takenAtMs: number; readonly nodeId: string } | null> {
    return newestOf(await this.snapshots(cluster, { Name: 'status', Values: ['completed'] }));
  }

  /** EC2 takes no token here, so it is a tag by which a repeated call finds what the first one began. */
  async takeSnapshot(order: SnapshotOrder): Promise<{ readonly snapshotId: string }> {
    const { cluster, machineId, clientToken } = order;
    const [begun] = await this.snapshots(cluster, tagged(tokenTag, clientToken));
    if (begun?.SnapshotId !== undefined) {
      return { snapshotId: begun.SnapshotId };
    }
    const { volumeId, nodeId } = dataVolumeOf(await this.instance(machineId), order);
    const tags: Tag[] = [
      { Key: clusterTag, Value: cluster },
      { Key: nodeTag, Value: nodeId },
      { Key: tokenTag, Value: clientToken },
      { Key: 'Name', Value: `${cluster}-${nodeId}` },
    ];
    const { SnapshotId } = await ask(
      `take a snapshot of volume '${volumeId}' of machine '${machineId}' (token ${clientToken})`,
      this.client.send(
        new CreateSnapshotCommand({
          VolumeId: volumeId,
          Description: `rejoin: ${nodeId} of ${cluster}`,
          TagSpecifications: [{ ResourceType: 'snapshot', Tags: tags }],
        }),
      ),
    );
    if (SnapshotId === undefined) {
      throw new RejoinError('ApiRefused', `EC2 began no snapshot of volume '${volumeId}' of machine '${machineId}'`);
    }
    return { snapshotId: SnapshotId };
  }

  async snapshotState(snapshotId: string): Promise<SnapshotState | null> {
    const answer = await askIfThere(
      `describe snapshot '${snapshotId}'`,
      this.client.send(new DescribeSnapshotsCommand({ SnapshotIds: [snapshotId] })),
      noSnapshot,
    );
    const state = answer?.Snapshots?.[0]?.State;
    return state === undefined ? null : snapshotStates[state];
  }

  /** All snapshots of a cluster that pass a filter. */
  private async snapshots(cluster: string, filter: Filter): Promise<readonly Snapshot[]> {
    const found: Snapshot[] = [];
    let token: string | undefined;
    do {
      const page = await ask(
        `list the snapshots of cluster '${cluster}'`,
        this.client.send(
          new DescribeSnapshotsCommand({
            OwnerIds: ['self'],
            Filters: [tagged(clusterTag, cluster), filter],
            ...(token === undefined ? {} : { NextToken: token }),
          }),
        ),
      );
      found.push(...(page.Snapshots ?? []));
      token = page.NextToken;
    } while (token !== undefined);
    return found;
  }

  /** @throws NotFound */
  private async instance(machineId: string): Promise<Instance> {
    const { Reservations } = await ask(
      `describe machine '${machineId}'`,
      this.client.send(new DescribeInstancesCommand({ InstanceIds: [machineId] })),
      noInstance,
    );
    const found = (Reservations ?? []).flatMap(({ Instances }) => Instances ?? [])[0];
    if (found === undefined) {
      throw new RejoinError('NotFound', `there is no machine '${machineId}'`);
    }
    return found;
  }

  /** With the health checks, which only running machines have. */
  private async observations(found: readonly Instance[]): Promise<readonly MachineObservation[]> {
    const running = found
      .filter(({ State }) => State?.Name === 'running')
      .flatMap(({ InstanceId }) => InstanceId ?? []);
    const health = await this.health(running);
    return found.map((instance) => observation(instance, health.get(instance.InstanceId ?? '') ?? null));
  }

  /** Machine → whether all its checks pass; those without a report are left out. */
  private async health(machineIds: readonly string[]): Promise<ReadonlyMap<string, boolean>> {
    if (machineIds.length === 0) {
      return new Map();
    }
    const answer = await askIfThere(
      `read the status checks of ${machineIds.join(', ')}`,
      this.client.send(new DescribeInstanceStatusCommand({ InstanceIds: [...machineIds] })),
      noInstance,
    );
    return new Map(
      (answer?.InstanceStatuses ?? []).flatMap(({ InstanceId, InstanceStatus, SystemStatus }) => {
        const healthy = verdictOf([InstanceStatus?.Status, SystemStatus?.Status]);
        return InstanceId === undefined || healthy === null ? [] : [[InstanceId, healthy] as const];
      }),
    );
  }
}

/** One failed check is enough; without that, both must have passed. */
function verdictOf(checks: readonly (string | undefined)[]): boolean | null {
  if (checks.includes('impaired')) {
    return false;
  }
  return checks.every((check) => check === 'ok') ? true : null;
}

function observation(instance: Instance, healthy: boolean | null): MachineObservation {
  const { InstanceId, State, PrivateIpAddress, Placement, Tags } = instance;
  const state = State?.Name === undefined ? undefined : states[State.Name];
  if (InstanceId === undefined || state === undefined) {
    throw new RejoinError('ApiRefused', `EC2 described machine '${InstanceId ?? 'without an id'}' without its state`);
  }
  return {
    machineId: InstanceId,
    state,
    healthy: state === 'running' ? healthy : null,
    address: PrivateIpAddress ?? null,
    site: tagOf(Tags, siteTag) ?? Placement?.AvailabilityZone ?? '',
  };
}

function launchInput(order: LaunchOrder, cluster: ClusterSettings): RunInstancesCommandInput {
  const subnetId = cluster.sites[order.site]?.subnetId;
  if (subnetId === undefined) {
    const sites = Object.keys(cluster.sites).join(', ');
    throw new RejoinError('ApiRefused', `cluster '${order.cluster}' has no site '${order.site}' (sites: ${sites})`);
  }
  const launchTemplate = order.launchTemplate ?? cluster.launchTemplate;
  if (launchTemplate === undefined) {
    throw new RejoinError(
      'InvalidSettings',
      `cluster '${order.cluster}' has no launchTemplate in rejoin.yaml, so no machine can be launched for ${order.nodeId}`,
    );
  }
  const tags: Tag[] = [
    { Key: clusterTag, Value: order.cluster },
    { Key: nodeTag, Value: order.nodeId },
    { Key: siteTag, Value: order.site },
    { Key: 'Name', Value: `${order.cluster}-${order.nodeId}` },
  ];
  return {
    MinCount: 1,
    MaxCount: 1,
    ClientToken: order.clientToken,
    LaunchTemplate: { LaunchTemplateId: launchTemplate, Version: '$Default' },
    SubnetId: subnetId,
    TagSpecifications: [
      { ResourceType: 'instance', Tags: tags },
      { ResourceType: 'volume', Tags: tags },
    ],
    ...(order.volumeSnapshot === null
      ? {}
      : {
          BlockDeviceMappings: [
            { DeviceName: dataDevice, Ebs: { SnapshotId: order.volumeSnapshot, DeleteOnTermination: true } },
          ],
        }),
  };
}

/** The volume with a machine's data, and the node that the machine is. @throws ApiRefused */
function dataVolumeOf(
  { BlockDeviceMappings, Tags }: Instance,
  { cluster, machineId }: SnapshotOrder,
): { readonly volumeId: string; readonly nodeId: string } {
  const [owner, nodeId] = [tagOf(Tags, clusterTag), tagOf(Tags, nodeTag)];
  if (owner !== cluster || nodeId === undefined) {
    throw new RejoinError(
      'ApiRefused',
      `machine '${machineId}' has the tags ${clusterTag} = ${owner ?? 'none'} and ${nodeTag} = ${nodeId ?? 'none'}; tag it as a node of cluster '${cluster}'`,
    );
  }
  const volumeId = BlockDeviceMappings?.find(({ DeviceName }) => DeviceName === dataDevice)?.Ebs?.VolumeId;
  if (volumeId === undefined) {
    throw new RejoinError(
      'ApiRefused',
      `machine '${machineId}' has no volume at ${dataDevice}, so there is nothing to take a snapshot of; keep its data directory on a volume of its own, attached as ${dataDevice}`,
    );
  }
  return { volumeId, nodeId };
}

function newestOf(
  found: readonly Snapshot[],
): { readonly snapshotId: string; readonly takenAtMs: number; readonly nodeId: string } | null {
  const usable = found.flatMap(({ SnapshotId, StartTime, Tags }) => {
    const nodeId = tagOf(Tags, nodeTag);
    return SnapshotId === undefined || StartTime === undefined || nodeId === undefined
      ? []
      : [{ snapshotId: SnapshotId, takenAtMs: StartTime.getTime(), nodeId }];
  });
  return usable.sort((left, right) => right.takenAtMs - left.takenAtMs)[0] ?? null;
}

function tagged(key: string, value: string): Filter {
  return { Name: `tag:${key}`, Values: [value] };
}

function tagOf(tags: readonly Tag[] | undefined, key: string): string | undefined {
  return tags?.find(({ Key }) => Key === key)?.Value;
}
