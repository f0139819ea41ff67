import { isIP } from 'node:net';
import * as z from 'zod';
import { databases, dns, machines, managedDatabases, registry, settings, stepPorts } from '../../adapters/ports';
import { ClusterRegistry, databaseOf } from '../../core/cluster/cluster-registry';
import { nameSchema } from '../../core/cluster/settings';
import { RejoinError } from '../../core/errors';
import type { DatabaseAddress, DatabaseEngine } from '../../core/ports/database-engine';
import type { Machines } from '../../core/ports/machines';
import type { ManagedDatabases } from '../../core/ports/managed-databases';
import type { Registry } from '../../core/ports/registry';
import type { Dns, DnsRecord, Settings } from '../../core/ports/surroundings';
import { replacementSchema } from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly machines: Pick<Machines, 'observe'>;
  readonly managedDatabases: Pick<ManagedDatabases, 'observe' | 'release'>;
  readonly dns: Dns;
  readonly databases: Pick<DatabaseEngine, 'probe' | 'shards' | 'closeShard' | 'leaveReplication' | 'dropShard'>;
}

const inputSchema = z.strictObject({
  cluster: nameSchema,
  /** The node that is replaced. */
  nodeId: nameSchema,
  replacement: replacementSchema,
  /** The node filter. */
  shards: z.array(z.string()),
  /** The change of its DNS record, once it was made. */
  changeId: z.string().nullable(),
});
type Input = z.infer<typeof inputSchema>;

/** Short, because a node's machine changes with each replacement. */
const ttlSeconds = 5;
const probeTimeoutMs = 3_000;
const drainTimeoutMs = 2_000;

export type ReplacementState = Readonly<{ ready: boolean; changeId: string | null; reason: string }>;

/**
 * Looks once whether the replacement is there: its machine runs, its DNS name leads to it, its server answers SQL. Makes
 * the DNS record as soon as the machine has an address; making it again changes nothing. A restored instance still
 * believes what was true when its snapshot was taken: it is taken out of service before anybody may rely on it.
 *
 * @throws NotFound when the machine is gone: waiting longer would not bring it back
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'wait-for-replacement', input: inputSchema, effect: 'reads' },
    async (input): Promise<ReplacementState> => {
      const { cluster, replacement, changeId } = input;
      const { address, reason } = await addressOf(ports, input);
      if (address === null) {
        return { ready: false, changeId, reason };
      }
      const change = changeId ?? (await nameIt(ports.dns, replacement.host, address));
      if ((await ports.dns.changeState(change)) === 'pending') {
        return { ready: false, changeId: change, reason: `${replacement.host} is on its way to every name server` };
      }
      const clusterSettings = await ports.settings.cluster(cluster);
      const server = databaseOf(clusterSettings, {
        id: replacement.nodeId,
        host: replacement.host,
        port: replacement.port,
      });
      const probe = await ports.databases.probe(server, probeTimeoutMs);
      if (probe.verdict !== 'answers') {
        return {
          ready: false,
          changeId: change,
          reason: `${replacement.nodeId} does not answer SQL yet (${probe.detail})`,
        };
      }
      if (replacement.machineKind === 'rds') {
        await takeOutOfService(ports, server, input);
      }
      return { ready: true, changeId: change, reason: `${replacement.nodeId} answers SQL` };
    },
  );

async function addressOf(
  ports: Ports,
  input: Input,
): Promise<{ readonly address: string | null; readonly reason: string }> {
  const { machineId, machineKind } = input.replacement;
  if (machineKind === 'ec2') {
    const seen = await ports.machines.observe(machineId);
    if (seen === null || seen.state === 'terminated' || seen.state === 'stopped') {
      throw gone(machineId, seen?.state ?? 'not there any more');
    }
    return { address: seen.state === 'running' ? seen.address : null, reason: `machine ${machineId} is ${seen.state}` };
  }
  const seen = await ports.managedDatabases.observe(machineId);
  if (seen === null || seen.state === 'deleting' || seen.state === 'failed') {
    throw gone(machineId, seen?.state ?? 'not there any more');
  }
  if (seen.state === 'available') {
    await ports.managedDatabases.release(machineId, await livingInstance(ports, input));
  }
  return { address: seen.state === 'available' ? seen.host : null, reason: `instance ${machineId} is ${seen.state}` };
}

/** Whose security groups the new instance gets: the failed one may be in quarantine itself. */
async function livingInstance(ports: Ports, { cluster, nodeId }: Input): Promise<string> {
  const nodes = await new ClusterRegistry(ports.registry).nodes(cluster);
  const managed = nodes.filter((node) => node.machineKind === 'rds');
  const found =
    managed.find((node) => node.state === 'serving' && node.id !== nodeId) ??
    managed.find((node) => node.id === nodeId);
  if (found === undefined) {
    throw new RejoinError('NotFound', `cluster '${cluster}' has no RDS instance whose groups the new one could get`);
  }
  return found.machineId;
}

function gone(machineId: string, state: string): RejoinError {
  return new RejoinError('NotFound', `the replacement's machine '${machineId}' is ${state}; start the recovery again`);
}

async function nameIt(dns: Dns, name: string, address: string): Promise<string> {
  const type: DnsRecord['type'] = isIP(address) === 0 ? 'CNAME' : 'A';
  const { changeId } = await dns.change([{ action: 'upsert', record: { name, type, ttlSeconds, values: [address] } }]);
  return changeId;
}

/** Follows nobody, refuses writes, and holds no row outside the node filter. */
async function takeOutOfService(ports: Ports, server: DatabaseAddress, input: Input): Promise<void> {
  const now = await new ClusterRegistry(ports.registry).shards(input.cluster);
  await ports.databases.leaveReplication(server);
  for (const held of await ports.databases.shards(server)) {
    const shard = now.find((candidate) => candidate.id === held.shard);
    const epoch = Math.max(held.epoch, shard?.epoch ?? 0);
    await ports.databases.closeShard(server, { shard: held.shard, epoch, drainTimeoutMs });
    if (!input.shards.includes(held.shard)) {
      await ports.databases.dropShard(server, { shard: held.shard, schemas: shard?.schemas ?? [held.shard] });
    }
  }
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  machines: machines(),
  managedDatabases: managedDatabases(),
  dns: dns(),
  databases: databases(),
});
