import { Template } from 'aws-cdk-lib/assertions';
import { replacementAlarmName } from '../../core/alarms/alarm-names';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { NodeItem, Shard } from '../../core/cluster/items';
import { clusterSettingsSchema, type ClusterSettings } from '../../core/cluster/settings';
import { RejoinError } from '../../core/errors';
import type { Json, JsonObject } from '../../core/json';
import { Leases } from '../../core/lease/lease';
import { RunLedger } from '../../core/ledger/run-ledger';
import {
  followName,
  shardAfterFollowerLoss,
  shardAfterPromotion,
  synchronousNames,
} from '../../core/node-recovery/ownership';
import { opinionKey, type Opinion } from '../../core/node-recovery/witnesses';
import type { DomainEvent, MetricValue } from '../../core/ports/surroundings';
import type { StepHandler } from '../../core/step/define-step';
import {
  startExecution,
  StateError,
  type Execution,
  type ItemSource,
  type TaskCall,
} from '../../local/states/execution';
import { loadStateMachine, type StateMachine } from '../../local/states/state-machine';
import { VirtualClock } from '../../local/states/virtual-clock';
import { NodeRecovery } from '../../lib/workflows/node-recovery';
import { definitionOf } from '../lib/support/definition-of';
import { stackForTest } from '../lib/support/surroundings-for-test';
import { SimulatedDatabases } from './simulated-databases';
import { SimulatedDns } from './simulated-dns';
import { SimulatedMachines } from './simulated-machines';
import { SimulatedManagedDatabases } from './simulated-managed-databases';
import { SimulatedObjects } from './simulated-objects';
import { SimulatedRegistry } from './simulated-registry';
import { SimulatedStatusAlarms } from './simulated-status-alarms';
import { SimulatedServers, type SimulatedServer, type WriteAnswer } from './simulated-server';

export const cluster = 'orders';
const sites = ['a', 'b'];

interface Deployed {
  readonly machine: StateMachine;
  /** The step's file of each function, by the name that the definition calls it. */
  readonly entries: ReadonlyMap<string, string>;
}

let deployed: Deployed | null = null;

/** The machine as it is synthesized: made once, for it takes a second. */
function deploy(): Deployed {
  const stack = stackForTest();
  new NodeRecovery(stack, 'NodeRecovery');
  const template = Template.fromStack(stack);
  const functions = template.findResources('AWS::Lambda::Function') as Record<
    string,
    { readonly Metadata?: Readonly<Record<string, string>> }
  >;
  return {
    machine: loadStateMachine({
      name: 'rejoin-node-recovery',
      arn: 'arn:aws:states:eu-central-1:111122223333:stateMachine:rejoin-node-recovery',
      definition: definitionOf(template),
    }),
    entries: new Map(
      Object.entries(functions).map(([id, { Metadata }]) => [`<${id}>`, Metadata?.['rejoin:entry'] ?? '']),
    ),
  };
}

/** Where a step is killed: before its first effect, or after an effect of this port, before it can go on. */
export interface Kill {
  readonly port: string;
  readonly method: string;
  /** The how manieth call, from 1. */
  readonly call: number;
  readonly when: 'before' | 'after';
}

export interface SimulatedClusterOptions {
  /** @default {} */
  readonly settings?: JsonObject;
  /** @default 8 */
  readonly shards?: number;
  /** All nodes are managed instances. @default false */
  readonly managed?: boolean;
}

/** A step that ran on the simulated ports. */
export interface Step {
  readonly entry: string;
  readonly state: string;
}

/**
 * A whole simulated world: four nodes on machines at two sites, shards with two owners, rows, clients, and the deployed
 * state machine with its real steps on a virtual clock.
 */
export class SimulatedCluster {
  readonly clock = new VirtualClock();
  readonly store = new SimulatedRegistry();
  readonly registry = new ClusterRegistry(this.store);
  readonly servers = new SimulatedServers();
  readonly dns = new SimulatedDns(this.clock, 1_000);
  readonly machines = new SimulatedMachines(
    this.clock,
    { sites, bootMs: 20_000, stopMs: 20_000, healthReportMs: 60_000 },
    ({ address }) => this.servers.start(address),
    (address) => {
      this.servers.kill(address);
    },
    ({ snapshotId, address }) => {
      this.snapshots.set(snapshotId, this.servers.copy(address));
    },
  );
  readonly managed = new SimulatedManagedDatabases(
    this.clock,
    30_000,
    ({ host, snapshotId }) => {
      const snapshot = this.snapshots.get(snapshotId ?? '');
      if (snapshot === undefined) {
        this.servers.start(host);
      } else {
        this.servers.restore(host, snapshot);
      }
    },
    (host) => {
      this.servers.kill(host);
    },
  );
  readonly statusAlarms = new SimulatedStatusAlarms();
  private readonly snapshots = new Map<string, SimulatedServer>();
  readonly databases = new SimulatedDatabases(this.servers, (host) => this.dns.resolve(host));
  readonly backups = new SimulatedObjects('backups', this.clock);
  readonly evidence = new SimulatedObjects('evidence', this.clock);
  readonly published: { events: DomainEvent[]; notes: string[]; metrics: MetricValue[]; started: string[] } = {
    events: [],
    notes: [],
    metrics: [],
    started: [],
  };
  readonly steps: Step[] = [];
  readonly executions = new Map<string, Execution>();
  readonly kills: Kill[] = [];
  readonly settings: ClusterSettings;
  /** By shard and key: what clients were told was written, and what they tried since and were told nothing about. */
  readonly acknowledged = new Map<string, (string | null)[]>();
  private readonly handlers = new Map<string, StepHandler<Json>>();
  private readonly calls = new Map<string, number>();

  private constructor(options: SimulatedClusterOptions) {
    const nodes = Object.fromEntries(
      [1, 2, 3, 4].map((number) => [
        `node-${number}`,
        {
          site: sites[number % 2],
          host: `node-${number}.${cluster}.internal`,
          machine: { kind: 'ec2', instanceId: `i-${String(number).padStart(17, '0')}` },
        },
      ]),
    );
    const given = {
      layout: 'sharded',
      shardCount: options.shards ?? 8,
      database: 'shop',
      secret: 'orders',
      sites: { a: { subnetId: 'subnet-a' }, b: { subnetId: 'subnet-b' } },
      quarantineGroup: 'sg-quarantine',
      nodes,
      ...options.settings,
    };
    this.settings = { ...clusterSettingsSchema.parse(given), name: cluster };
  }

  static async open(options: SimulatedClusterOptions = {}): Promise<SimulatedCluster> {
    const made = new SimulatedCluster(options);
    await made.fill(options.managed ?? false);
    return made;
  }

  private async fill(managed: boolean): Promise<void> {
    const { shardCount } = this.settings;
    const meta = { name: cluster, engine: 'postgresql', layout: 'sharded', shardCount, epoch: 1 } as const;
    await this.registry.add(cluster, { kind: 'META', value: meta });
    for (const [id, { site, host }] of Object.entries(this.settings.nodes)) {
      const place = managed ? this.addInstance(id, site) : await this.addMachine(id, site);
      const type = managed ? 'CNAME' : 'A';
      await this.dns.change([
        { action: 'create', record: { name: host, type, ttlSeconds: 5, values: [place.address] } },
      ]);
      const value: NodeItem = {
        id,
        site,
        machineKind: managed ? 'rds' : 'ec2',
        machineId: place.machineId,
        host,
        port: 5432,
        state: 'serving',
        builder: null,
        replacedAtMs: [],
      };
      await this.registry.add(cluster, { kind: 'NODE', value });
    }
    await this.clock.sleep(60_000);
    await this.machines.list(cluster);
    for (let number = 0; number < shardCount; number += 1) {
      await this.addShard(number);
    }
    for (const node of this.settings.durability === 'synchronous' ? await this.registry.nodes(cluster) : []) {
      await this.databases.setSynchronousFollowers(
        this.addressOf(node),
        synchronousNames(node.id, await this.registry.shards(cluster)),
      );
    }
    for (let key = 0; key < 4 * shardCount; key += 1) {
      await this.write(`key-${key}`, 'first');
    }
  }

  private async addMachine(nodeId: string, site: string) {
    const launched = await this.machines.launch({
      cluster,
      nodeId,
      site,
      clientToken: nodeId,
      launchTemplate: null,
      volumeSnapshot: null,
    });
    return { machineId: launched.machineId, address: launched.address ?? '' };
  }

  private addInstance(nodeId: string, site: string) {
    const address = `${nodeId}.rds.internal`;
    this.managed.add(`orders-${nodeId}`, site, address);
    this.servers.start(address);
    return { machineId: `orders-${nodeId}`, address };
  }

  /** Takes a snapshot of a managed node. */
  snapshot(nodeId: string): void {
    this.snapshots.set(this.managed.snapshot(`orders-${nodeId}`), this.servers.copy(`${nodeId}.rds.internal`));
  }

  private async addShard(number: number): Promise<void> {
    const id = `shard_${String(number).padStart(4, '0')}`;
    const node = (offset: number): string => `node-${((number + offset) % 4) + 1}`;
    // Followers differ, so that a failed node's shards survive on all others.
    const shard: Shard = {
      id,
      schemas: [id],
      epoch: 1,
      primary: node(0),
      follower: node(1 + (Math.floor(number / 4) % 3)),
      version: 1,
      state: 'in sync',
      fence: null,
    };
    await this.registry.add(cluster, { kind: 'SHARD', value: shard });
    const primary = await this.address(shard.primary);
    const follower = await this.address(shard.follower ?? '');
    for (const address of [primary, follower]) {
      await this.databases.installShard(address, { shard: id, schemas: [id], epoch: 1, writable: address === primary });
    }
    const from = await this.databases.openSlot(primary, { slot: followName(shard), shard: id });
    await this.databases.follow(follower, { name: followName(shard), shard: id, primary, from });
  }

  /** A client's write to the shard that the registry sends it to. */
  async write(key: string, value: string | null): Promise<WriteAnswer> {
    const shards = await this.registry.shards(cluster);
    const shard = shards[Buffer.from(key).reduce((sum, byte) => sum + byte, 0) % shards.length];
    if (shard === undefined) {
      throw new Error('the cluster has no shards');
    }
    const address = await this.address(shard.primary);
    const answer = this.servers.write(this.dns.resolve(address.host), shard.id, key, value);
    const place = `${shard.id} ${key}`;
    if (answer === 'acknowledged') {
      this.acknowledged.set(place, [value]);
    } else if (answer === 'not confirmed') {
      this.acknowledged.set(place, [...(this.acknowledged.get(place) ?? [null]), value]);
    }
    return answer;
  }

  /** Acknowledged writes that a shard's owners lack, or have otherwise. */
  async missing(): Promise<readonly string[]> {
    const shards = await this.registry.shards(cluster);
    const found: string[] = [];
    for (const [place, values] of this.acknowledged) {
      const [id = '', key = ''] = place.split(' ');
      const shard = shards.find((each) => each.id === id);
      const owners = [shard?.primary, shard?.state === 'in sync' ? shard.follower : null];
      for (const owner of owners.flatMap((each) => each ?? [])) {
        const server = this.servers.at(this.dns.resolve((await this.address(owner)).host));
        if (!values.includes(server?.shards.get(id)?.rows.get(key)?.value ?? null)) {
          found.push(`${place} on ${owner}`);
        }
      }
    }
    return found;
  }

  /** What an ended recovery must not leave behind, and what must be there: in words, one line each. */
  async leftovers(): Promise<readonly string[]> {
    const shards = await this.registry.shards(cluster);
    const nodes = await this.registry.nodes(cluster);
    const found = nodes
      .filter((node) => node.state === 'building' || node.builder !== null)
      .map((node) => `${node.id} is ${node.state}, builder ${node.builder ?? 'none'}`);
    if ((await this.store.read({ pk: `CLUSTER#${cluster}`, sk: 'LEASE' })) !== null) {
      found.push('the lease is held');
    }
    for (const node of nodes.filter((each) => each.state === 'serving')) {
      const server = this.servers.at(this.dns.resolve(node.host));
      if (server?.answers === true) {
        const led = shards.filter((shard) => shard.primary === node.id && shard.follower !== null).map(followName);
        const followed = shards.filter((shard) => shard.follower === node.id).map(followName);
        found.push(...difference(`slots on ${node.id}`, led, server.slots.keys()));
        found.push(...difference(`subscriptions on ${node.id}`, followed, server.subscriptions.keys()));
        found.push(...difference(`synchronous names on ${node.id}`, led, server.synchronous));
      }
    }
    const kept = nodes
      .filter((node) => node.state !== 'retired' && node.machineKind === 'ec2')
      .map((node) => node.machineId);
    const watched = nodes
      .filter((node) => node.state !== 'retired' && node.machineKind === 'ec2' && !(node.id in this.settings.nodes))
      .map((node) => replacementAlarmName(cluster, node.id, node.machineId));
    found.push(...difference('status alarms of replacements', watched, this.statusAlarms.names));
    const machines = await this.machines.list(cluster);
    found.push(
      ...difference(
        'machines',
        kept,
        machines.map((machine) => machine.machineId),
      ),
    );
    return found;
  }

  /** Shards that more than one living server accepts writes for. */
  writers(): readonly string[] {
    const counts = new Map<string, number>();
    for (const server of this.servers.all()) {
      for (const [id, shard] of server.answers ? server.shards : []) {
        counts.set(id, (counts.get(id) ?? 0) + (shard.writable ? 1 : 0));
      }
    }
    return [...counts].filter(([, writers]) => writers > 1).map(([id]) => id);
  }

  async address(nodeId: string) {
    return this.addressOf(await this.registry.node(cluster, nodeId));
  }

  private addressOf(node: Pick<NodeItem, 'id' | 'host' | 'port'>) {
    return { cluster, nodeId: node.id, host: node.host, port: node.port, database: 'shop' };
  }

  /** Called before each call of a port by a step: `databases.openShard`. */
  onCall: (call: string) => void = () => undefined;

  /** Called before each step runs, with the state's name. */
  onStep: (state: string) => Promise<void> = async () => undefined;

  /** Ends a node's server at once and lets the agents of the others say so. */
  async fail(nodeId: string, seenBy: readonly string[] = ['node-1', 'node-2', 'node-3', 'node-4']): Promise<void> {
    this.servers.kill(this.dns.resolve((await this.address(nodeId)).host));
    for (const by of seenBy.filter((each) => each !== nodeId)) {
      await this.opinion({ by, about: nodeId, verdict: 'failed', detail: 'refused 2 times' });
    }
  }

  async opinion(opinion: Omit<Opinion, 'atMs'>): Promise<void> {
    const key = { pk: `CLUSTER#${cluster}`, sk: opinionKey(opinion.by, opinion.about) };
    await this.store.write([
      { kind: 'put', key, value: { ...opinion, atMs: this.clock.nowMs() }, when: { absentOrEquals: {} } },
    ]);
  }

  /** Does what the agents of a failed node's shards do within a second, where they live. */
  async agentsTakeOver(nodeId: string): Promise<void> {
    for (const shard of await this.registry.shards(cluster)) {
      const other = shard.primary === nodeId ? shard.follower : shard.primary;
      if (other === null || this.servers.at(this.dns.resolve((await this.address(other)).host))?.answers !== true) {
        continue;
      }
      if (shard.primary === nodeId && shard.follower !== null) {
        const address = await this.address(shard.follower);
        await this.databases.pauseFollowing(address, followName(shard));
        const fence = { kind: 'follower' as const, api: 'no apply worker is left', probes: [] };
        const after = shardAfterPromotion(shard, shard.follower, fence, this.clock.nowMs());
        await this.registry.changeShard(cluster, shard, after);
        await this.databases.openShard(address, { shard: shard.id, epoch: after.epoch });
        await this.databases.stopFollowing(address, followName(shard));
      } else if (shard.follower === nodeId) {
        await this.registry.changeShard(cluster, shard, shardAfterFollowerLoss(shard));
        const address = await this.address(shard.primary);
        const names = synchronousNames(shard.primary, await this.registry.shards(cluster));
        await this.databases.setSynchronousFollowers(address, names);
        await this.databases.openShard(address, { shard: shard.id, epoch: shard.epoch + 1 });
      }
    }
  }

  /** Starts the deployed machine, as the starter does. */
  recover(input: JsonObject, name = 'recovery-1'): Execution {
    deployed ??= deploy();
    const execution = startExecution(deployed.machine, {
      name,
      input: { cluster, trigger: 'agent:node-2', ...input },
      world: {
        clock: this.clock,
        random: { next: () => 0.5 },
        tasks: { run: (call) => this.run(call) },
        objects: this.items(),
      },
    });
    this.executions.set(name, execution);
    return execution;
  }

  private items(): ItemSource {
    return {
      getObject: async (_bucket, key) => this.backups.read(key),
      listObjects: async () => [],
      putObject: async (_bucket, key, body) => this.backups.write(key, body),
    };
  }

  private async run(call: TaskCall): Promise<Json> {
    const { FunctionName: name, Payload: event } = call.arguments as { FunctionName: string; Payload: Json };
    const entry = deployed?.entries.get(name) ?? '';
    this.steps.push({ entry, state: call.stateName });
    await this.onStep(call.stateName);
    try {
      const result = await (await this.handler(entry))(event, { getRemainingTimeInMillis: () => 600_000 });
      return { Payload: JSON.parse(JSON.stringify(result)) as Json, StatusCode: 200, ExecutedVersion: '$LATEST' };
    } catch (thrown) {
      if (thrown instanceof Killed) {
        throw new StateError('Sandbox.Timedout', thrown.message);
      }
      const { name: errorType, message } = thrown as Error;
      throw new StateError(errorType, JSON.stringify({ errorType, errorMessage: message }));
    }
  }

  /** The step of a file, as it is deployed but for its ports. */
  private async handler(entry: string): Promise<StepHandler<Json>> {
    const made = this.handlers.get(entry);
    if (made !== undefined) {
      return made;
    }
    const module = (await import(`../../${entry.replace(/\.ts$/, '')}`)) as {
      makeStep: (ports: unknown) => StepHandler<Json>;
    };
    const handler = module.makeStep(this.ports());
    this.handlers.set(entry, handler);
    return handler;
  }

  /** Calls a step directly, for tests of one step. */
  async call(entry: string, state: string, input: JsonObject, execution = 'recovery-1'): Promise<Json> {
    const handler = await this.handler(`lambdas/${entry}.ts`);
    return handler({ run: { machine: 'node-recovery', execution, state }, input });
  }

  /** All ports; each step takes those that it needs. */
  private ports() {
    const ports = {
      clock: this.clock,
      ledger: new RunLedger(this.store, this.clock),
      leases: new Leases(this.store, this.clock),
      registry: this.store,
      settings: { cluster: async (name: string) => this.settingsOf(name) },
      machines: this.machines,
      managedDatabases: this.managed,
      databases: this.databases,
      statusAlarms: this.statusAlarms,
      dns: this.dns,
      backups: this.backups,
      evidence: this.evidence,
      ablations: [],
      codec: {
        name: 'none',
        compress: async (raw: Buffer) => raw,
        decompress: async (stored: Buffer) => stored,
      },
      prober: {
        probe: async ({ host }: { host: string }) =>
          this.servers.at(this.dns.resolve(host))?.answers === true ? 'open' : 'timed out',
      },
      events: { publish: async (event: DomainEvent) => void this.published.events.push(event) },
      notifications: {
        publish: async ({ subject }: { subject: string }) => void this.published.notes.push(subject),
      },
      metrics: { publish: async (values: MetricValue[]) => void this.published.metrics.push(...values) },
      executions: this.executionsPort(),
    };
    return Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, this.killable(name, port)] as const));
  }

  private settingsOf(name: string): ClusterSettings {
    if (name !== cluster) {
      throw new RejoinError('NotFound', `rejoin.yaml has no cluster '${name}' (clusters: ${cluster})`);
    }
    return this.settings;
  }

  private executionsPort() {
    return {
      start: async (order: { machine: string; name: string }) => {
        const name = `${order.machine}/${order.name}`;
        const started = !this.published.started.includes(name);
        if (started) {
          this.published.started.push(name);
        }
        return { arn: name, started };
      },
      running: async () =>
        [...this.executions].filter(([, execution]) => execution.status === 'RUNNING').map(([name]) => name),
      visits: async (_machine: string, name: string) => visitsOf(this.executions.get(name)),
    };
  }

  /** The port, dying with its step where a kill says so: its effect has happened or not, and nobody hears of it. */
  private killable<Port extends object>(portName: string, port: Port): Port {
    if (
      ![
        'ledger',
        'leases',
        'registry',
        'machines',
        'statusAlarms',
        'databases',
        'dns',
        'backups',
        'evidence',
        'executions',
      ].includes(portName)
    ) {
      return port;
    }
    return new Proxy(port, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property);
        if (typeof value !== 'function' || typeof property !== 'string') {
          return value;
        }
        const method = value.bind(target) as (...given: unknown[]) => unknown;
        return property === 'list' && portName === 'backups'
          ? method
          : async (...given: unknown[]) => {
              const call = (this.calls.get(`${portName}.${property}`) ?? 0) + 1;
              this.calls.set(`${portName}.${property}`, call);
              const kill = this.kills.find(
                (each) => each.port === portName && each.method === property && each.call === call,
              );
              this.onCall(`${portName}.${property}`);
              if (kill?.when === 'before') {
                throw new Killed(kill);
              }
              const result: unknown = await method(...given);
              if (kill?.when === 'after') {
                throw new Killed(kill);
              }
              return result;
            };
      },
    });
  }

  /** How often each method of a port was called. */
  callCounts(): ReadonlyMap<string, number> {
    return this.calls;
  }
}

function difference(what: string, expected: readonly string[], got: Iterable<string>): readonly string[] {
  const [wanted, there] = [[...expected].sort().join(' '), [...got].sort().join(' ')];
  return wanted === there ? [] : [`${what}: expected [${wanted}], got [${there}]`];
}

class Killed extends Error {
  override readonly name = 'Killed';
  constructor(kill: Kill) {
    super(`killed ${kill.when} call ${kill.call} of ${kill.port}.${kill.method}`);
  }
}

function visitsOf(execution: Execution | undefined) {
  const visits: { state: string; enteredAtMs: number; exitedAtMs: number | null }[] = [];
  for (const event of execution?.history ?? []) {
    const entered = event.stateEnteredEventDetails;
    const exited = event.stateExitedEventDetails;
    const atMs = Date.parse(event.timestamp);
    if (entered !== undefined) {
      visits.push({ state: entered.name, enteredAtMs: atMs, exitedAtMs: null });
    }
    const open = visits.findLast((visit) => visit.state === exited?.name && visit.exitedAtMs === null);
    if (open !== undefined) {
      open.exitedAtMs = atMs;
    }
  }
  return visits;
}
