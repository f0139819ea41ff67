import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { systemClock } from '../../../adapters/system-clock';
import type { NodeItem } from '../../../core/cluster/items';
import { clusterSettingsSchema, type ClusterSettings } from '../../../core/cluster/settings';
import type { DatabaseAddress, DatabaseEngine } from '../../../core/ports/database-engine';
import type { Credentials } from '../../../core/ports/surroundings';
import type { ConnectionSource } from '../../../engines/postgresql/connection';
import { postgresEngine } from '../../../engines/postgresql/engine';
import { appSettingsSchema, type AppSettings } from '../../../lib/config/app-settings';
import { makeApp } from '../../../lib/stacks/make-app';
import { LocalCloud } from '../../control/local-cloud';
import { RunDirectory } from '../../control/run-directory';
import { DnsServer } from '../../dns/dns-server';
import { requireSpace } from '../../disk-space';
import type { DiskWatch } from '../../disk-watch';
import { resolve } from '../../dns/resolve';
import { LocalDns } from '../../dns/local-dns';
import { bundleFunctions } from '../../lambdas/bundle-functions';
import { freePort } from '../../machines/free-port';
import { LocalHostCommands } from '../../machines/local-host-commands';
import { LocalMachines, machineIdOf } from '../../machines/local-machines';
import { LocalManagedDatabases } from '../../machines/local-managed-databases';
import { LocalProber } from '../../machines/local-prober';
import { MachineRoom } from '../../machines/machine-room';
import type { AgentCommand, MachineFacts } from '../../machines/templates';
import { aborted } from '../aborted';
import type { RehearsalOptions } from '../scenario';
import { dumpedData } from './dumped-data';
import { makeCluster } from './first-cluster';
import { firstNodes, type NodePlace } from './first-nodes';
import { createInstance, instanceOf, startAgentsBeside } from './managed-nodes';
import type { RehearsedData } from './rehearsed-data';
import { makeReplicatedCluster } from './replicated-cluster';
import { replicatedShop, shopData } from './shop-cluster';
import { spaceNeeded } from './space-needed';

export const clusterName = 'shop';
/** A loopback zone by RFC 6761: TLS may be off, and nobody else resolves it. */
export const zoneName = 'shop.localhost';
const database = 'shop';
const secretName = 'rejoin/shop';
const firstDatabasePort = 5432;
/** Agents call others and are not called; a machine with an agent has a port for it. */
const firstAgentPort = 7433;

export interface World {
  readonly directory: string;
  /** How other processes reach the cloud. */
  readonly control: { readonly url: string; readonly token: string };
  readonly cloud: LocalCloud;
  readonly room: MachineRoom;
  readonly machines: LocalMachines;
  readonly managed: LocalManagedDatabases;
  readonly dnsServer: DnsServer;
  readonly settings: ClusterSettings;
  readonly nodes: readonly NodeItem[];
  readonly agentLogFiles: readonly string[];
  readonly administrator: Credentials;
  readonly application: Credentials;
  readonly engine: DatabaseEngine;
  readonly source: ConnectionSource;
  readonly data: RehearsedData;
  /** Starts a stopped node's machine or instance again, as somebody might who knows of nothing. */
  switchOn(node: NodeItem): Promise<void>;
  /** Ends every process; removes the run's files unless they are to be kept. */
  close(keepFiles: boolean): Promise<void>;
}

/** Where this and other runs keep what they keep. */
export function rehearsalsDirectory({ directory }: RehearsalOptions): string {
  return directory ?? join(process.cwd(), '.rejoin');
}

/**
 * Starts everything that a rehearsal needs: the synthesized app on a local cloud, machines with servers and agents, a DNS
 * server, and a cluster with all its rows. Nothing is left of it when it can't, or when `signal` is aborted
 * meanwhile.
 */
export async function startWorld(
  options: RehearsalOptions,
  say: (line: string) => void,
  { signal, disks }: { readonly signal: AbortSignal; readonly disks: DiskWatch },
): Promise<World> {
  signal.throwIfAborted();
  // Before anything is started: a file that is no dump costs nobody a minute.
  const data = await rehearsedData(options, say);
  const run = await RunDirectory.claim(join(rehearsalsDirectory(options), 'rehearsal'), say);
  const closers: (() => Promise<unknown>)[] = [];
  const endAll = async (): Promise<void> => {
    for (const closer of closers.reverse().splice(0)) {
      await closer().catch(() => undefined);
    }
  };
  const close = async (keepFiles: boolean): Promise<void> => {
    await endAll();
    // The cloud gave the directory back when it closed, unless it never was.
    await run.release({ keep: true }).catch(() => undefined);
    if (!keepFiles) {
      await rm(run.path, { recursive: true, force: true });
    }
  };
  const stage = (line: string): void => {
    signal.throwIfAborted();
    say(line);
  };
  const building = build({ options, data, run, disks, say: stage }, (closer) => closers.push(closer), close);
  const built = new AbortController();
  try {
    return await Promise.race([building, aborted(signal, built.signal)]);
  } catch (first) {
    // Looked at while the files are still there.
    const thrown = await disks.explain(first);
    // What it still waits for fails when that has ended; what it starts until then is ended after it.
    await endAll();
    await building.catch(() => undefined);
    await close(options.keep);
    throw thrown;
  } finally {
    built.abort();
  }
}

async function rehearsedData(options: RehearsalOptions, say: (line: string) => void): Promise<RehearsedData> {
  if (options.dump !== null) {
    return dumpedData(options.dump, say);
  }
  return options.layout === 'replicated' ? replicatedShop(options) : shopData(options);
}

interface WorldOrder {
  readonly options: RehearsalOptions;
  readonly data: RehearsedData;
  readonly run: RunDirectory;
  readonly disks: DiskWatch;
  readonly say: (line: string) => void;
}

async function build(
  { options, data, run, disks, say }: WorldOrder,
  onClose: (closer: () => Promise<unknown>) => void,
  close: World['close'],
): Promise<World> {
  const administrator = { username: 'rejoin_admin', password: randomBytes(18).toString('base64url') };
  const application = { username: 'shop_app', password: randomBytes(18).toString('base64url') };
  const databasePort = await freePort(firstDatabasePort);
  const app = appSettings(options, data.shardCount, databasePort);
  const settings: ClusterSettings = { ...clusterOf(app), name: clusterName };
  const directory = run.path;

  // Agents are started with their machines, and by then the cloud that they call is there.
  let cloud: LocalCloud | null = null;
  let dnsAddress = '';
  const room = await MachineRoom.open({
    clock: systemClock,
    stateDirectory: run.machines,
    clusters: [
      {
        cluster: clusterName,
        sites: Object.keys(settings.sites),
        databasePort,
        agentPort: await freePort(firstAgentPort),
        agent: (machine) =>
          agentCommand(machine, directory, {
            ...cloud?.agentEnvironment({ nodeId: machine.nodeId, address: machine.address }),
            REJOIN_DNS: dnsAddress,
          }),
        administrator,
        roles: [{ ...application, kind: 'application' }],
        databases: [database],
        settings: {
          synchronous_commit: 'on',
          max_wal_size: '2GB',
          checkpoint_timeout: '15min',
          // A node that is restored from a snapshot needs the log from there on, and whoever was promoted must have it.
          ...(settings.layout === 'replicated' ? { wal_keep_size: '1GB' } : {}),
        },
        durable: true,
      },
    ],
  });
  onClose(() => room.close({ keepFiles: options.keep }));
  const { machineBytes, runBytes } = spaceNeeded(options.nodes, data.space);
  const needs = [
    { path: room.directory, bytes: machineBytes },
    { path: directory, bytes: runBytes },
  ];
  await requireSpace(needs, 'make room, or rehearse with less data');
  needs.forEach(({ path }) => {
    disks.add(path);
  });

  say('synthesizes the app and bundles steps and agent');
  const assembly = makeApp(app, { outdir: join(directory, 'cdk.out'), bundle: false, validate: false }).synth();
  await bundleFunctions(new Map([['node-agent', 'agents/node-agent/main.ts']]), join(directory, 'agents'));

  const machines = new LocalMachines(room);
  const managed = new LocalManagedDatabases(room);
  const dns = new LocalDns({ clock: systemClock, zone: zoneName });
  const dnsServer = await DnsServer.start({ zone: dns.published });
  onClose(() => dnsServer.close());
  dnsAddress = `${dnsServer.host}:${dnsServer.port}`;
  const addressOf = async (host: string): Promise<string> =>
    isIP(host) === 0 ? resolve(host, { server: dnsServer }) : host;
  const localProber = new LocalProber(room, systemClock);
  cloud = await LocalCloud.start({
    directory: run,
    templates: assembly.directory,
    settings: [settings],
    secrets: { [secretName]: administrator },
    ports: {
      machines,
      managedDatabases: managed,
      dns,
      prober: { probe: async (target) => localProber.probe({ ...target, host: await addressOf(target.host) }) },
      hostCommands: new LocalHostCommands(room, machines),
    },
    keep: true,
    say,
    environment: {
      REJOIN_DNS: dnsAddress,
      REJOIN_ADDRESS: await room.outsideAddress(),
      ...(options.ablate.length === 0 ? {} : { REJOIN_ABLATE: options.ablate.join(',') }),
    },
    handlesSignals: false,
  });
  const started = cloud;
  onClose(() => started.close());
  const { REJOIN_CONTROL_URL: url = '', REJOIN_CONTROL_TOKEN: token = '' } = started.agentEnvironment({
    nodeId: 'load',
    address: null,
  });

  say(`starts ${options.nodes} database servers`);
  const machineKind = options.machines ?? 'ec2';
  const nodes = await firstNodes(settings, { count: options.nodes, zone: zoneName, machineKind }, (place) =>
    machineKind === 'rds' ? createInstance(managed, clusterName, place) : launchMachine(machines, place),
  );
  const beside =
    options.machines === 'rds'
      ? await startAgentsBeside(room, nodes, join(directory, 'agents-beside'), (node, address) =>
          agentCommand({ cluster: clusterName, nodeId: node.id }, directory, {
            ...started.agentEnvironment({ nodeId: node.id, address }),
            REJOIN_DNS: dnsAddress,
          }),
        )
      : null;
  onClose(async () => beside?.end());
  await dns.change(
    nodes.map(
      (node) =>
        ({
          action: 'create',
          record: {
            name: `${node.id}.${zoneName}`,
            type: 'A',
            ttlSeconds: 5,
            values: [room.machine(node.machineId).facts.address],
          },
        }) as const,
    ),
  );
  const source: ConnectionSource = {
    credentials: async () => administrator,
    certificateAuthority: async () => null,
    addressOf,
  };
  const engine = postgresEngine(source);
  say(data.making);
  const fill = (owner: DatabaseAddress, shard: string) =>
    data.fill({ source, owner, applicationRole: application.username }, shard);
  await (settings.layout === 'replicated'
    ? makeReplicatedCluster({ room, engine, cloud: started }, { cluster: settings, nodes, fill })
    : makeCluster(
        { registry: started.registry, engine },
        { cluster: settings, nodes, shardCount: data.shardCount, fill },
      ));
  const agentLogFiles =
    beside?.logFiles ?? nodes.map((node) => join(room.machine(node.machineId).facts.directory, 'agent.log'));
  return {
    directory,
    agentLogFiles,
    control: { url, token },
    cloud: started,
    room,
    machines,
    managed,
    dnsServer,
    settings,
    nodes,
    administrator,
    application,
    engine,
    source,
    data,
    switchOn: async ({ machineId, machineKind }) => {
      await (machineKind === 'rds' ? managed.start(machineId) : machines.switchOn(machineId));
      await (machineKind === 'rds' ? managed.settled(machineId) : machines.settled(machineId));
    },
    close,
  };
}

/** The token that the machine of one of the first nodes is launched with; its id follows from it. */
function firstLaunch(nodeId: string): string {
  return `first ${nodeId}`;
}

/** Launches the machine of one of the first nodes. @returns its id */
async function launchMachine(machines: LocalMachines, { id, site }: NodePlace): Promise<string> {
  const { machineId } = await machines.launchReady({
    cluster: clusterName,
    nodeId: id,
    site,
    clientToken: firstLaunch(id),
    launchTemplate: null,
    volumeSnapshot: null,
  });
  return machineId;
}

/** rejoin.yaml as a user would write it for this cluster. */
function appSettings(options: RehearsalOptions, shardCount: number, port: number): AppSettings {
  const sites = ['site-a', 'site-b', 'site-c'];
  const nodes = Array.from({ length: options.nodes }, (_, index): readonly [string, object] => [
    `node-${index + 1}`,
    {
      site: sites[index % sites.length],
      host: `node-${index + 1}.${zoneName}`,
      machine:
        options.machines === 'rds'
          ? { kind: 'rds', instanceIdentifier: instanceOf(clusterName, `node-${index + 1}`) }
          : { kind: 'ec2', instanceId: machineIdOf(firstLaunch(`node-${index + 1}`)) },
    },
  ]);
  return appSettingsSchema.parse({
    version: 1,
    zone: { id: 'Z0000000000000000LOCAL', name: zoneName },
    vpc: { id: 'vpc-00000000' },
    clusters: {
      [clusterName]: {
        layout: options.layout ?? 'sharded',
        shardCount,
        database,
        port,
        durability:
          options.durability ??
          (options.machines === 'rds' || options.layout === 'replicated' ? 'asynchronous' : 'synchronous'),
        quarantineGroup: 'sg-00000000',
        secret: secretName,
        tls: 'disabled',
        launchTemplate: 'lt-00000000',
        sites: Object.fromEntries(sites.map((site, index) => [site, { subnetId: `subnet-0000000${index}` }])),
        nodes: Object.fromEntries(nodes),
        backup: { rowsPerChunk: 10_000 },
      },
    },
  });
}

function clusterOf(app: AppSettings): Omit<ClusterSettings, 'name'> {
  return clusterSettingsSchema.parse(app.clusters[clusterName]);
}

function agentCommand(
  machine: Pick<MachineFacts, 'cluster' | 'nodeId'>,
  directory: string,
  environment: Readonly<Record<string, string>>,
): AgentCommand {
  return {
    argv: [process.execPath, '--max-old-space-size=64', join(directory, 'agents', 'node-agent', 'index.js')],
    environment: { ...environment, REJOIN_CLUSTER: machine.cluster, REJOIN_NODE: machine.nodeId },
  };
}
