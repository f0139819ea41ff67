import { isIP } from 'node:net';
import { z } from 'zod';
import { databases, dns, machines, managedDatabases, settings, stepPorts } from '../../adapters/ports';
import { databaseOf } from '../../core/cluster/cluster-registry';
import { nameSchema } from '../../core/cluster/settings';
import { RejoinError } from '../../core/errors';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Machines } from '../../core/ports/machines';
import type { ManagedDatabases } from '../../core/ports/managed-databases';
import type { Dns, DnsRecord, Settings } from '../../core/ports/surroundings';
import { replacementSchema, type Replacement } from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly settings: Settings;
  readonly machines: Pick<Machines, 'observe'>;
  readonly managedDatabases: Pick<ManagedDatabases, 'observe'>;
  readonly dns: Dns;
  readonly databases: Pick<DatabaseEngine, 'probe'>;
}

const inputSchema = z.strictObject({
  cluster: nameSchema,
  replacement: replacementSchema,
  /** The change of its DNS record, once it was made. */
  changeId: z.string().nullable(),
});

/** Short, because a node's machine changes with each replacement. */
const ttlSeconds = 5;
const probeTimeoutMs = 3_000;

export type ReplacementState = Readonly<{ ready: boolean; changeId: string | null; reason: string }>;

/**
 * Looks once whether the replacement is there: its machine runs, its DNS name leads to it, its server answers SQL. Makes
 * the DNS record as soon as the machine has an address; making it again changes nothing.
 *
 * @throws NotFound when the machine is gone: waiting longer would not bring it back
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'wait-for-replacement', input: inputSchema, effect: 'reads' },
    async ({ cluster, replacement, changeId }): Promise<ReplacementState> => {
      const { address, reason } = await addressOf(ports, replacement);
      if (address === null) {
        return { ready: false, changeId, reason };
      }
      const change = changeId ?? (await nameIt(ports.dns, replacement.host, address));
      if ((await ports.dns.changeState(change)) === 'pending') {
        return { ready: false, changeId: change, reason: `${replacement.host} is on its way to every name server` };
      }
      const clusterSettings = await ports.settings.cluster(cluster);
      const probe = await ports.databases.probe(
        databaseOf(clusterSettings, { id: replacement.nodeId, host: replacement.host, port: replacement.port }),
        probeTimeoutMs,
      );
      return {
        ready: probe.verdict === 'answers',
        changeId: change,
        reason: `${replacement.nodeId} ${probe.verdict === 'answers' ? 'answers SQL' : `does not answer SQL yet (${probe.detail})`}`,
      };
    },
  );

async function addressOf(
  ports: Ports,
  { machineId, machineKind }: Replacement,
): Promise<{ readonly address: string | null; readonly reason: string }> {
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
  return { address: seen.state === 'available' ? seen.host : null, reason: `instance ${machineId} is ${seen.state}` };
}

function gone(machineId: string, state: string): RejoinError {
  return new RejoinError('NotFound', `the replacement's machine '${machineId}' is ${state}; start the recovery again`);
}

async function nameIt(dns: Dns, name: string, address: string): Promise<string> {
  const type: DnsRecord['type'] = isIP(address) === 0 ? 'CNAME' : 'A';
  const { changeId } = await dns.change([{ action: 'upsert', record: { name, type, ttlSeconds, values: [address] } }]);
  return changeId;
}

export const handler = makeStep({
  ...stepPorts(),
  settings: settings(),
  machines: machines(),
  managedDatabases: managedDatabases(),
  dns: dns(),
  databases: databases(),
});
