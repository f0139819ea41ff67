import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { NodeItem, Shard } from '../../core/cluster/items';
import { standbyName } from '../../core/cluster/names';
import { clusterSettingsSchema, type ClusterSettings } from '../../core/cluster/settings';
import { RejoinError } from '../../core/errors';
import type { Json, JsonObject } from '../../core/json';
import { visitsOf } from '../../core/executions/state-visits';
import { Leases } from '../../core/lease/lease';
import { RunLedger } from '../../core/ledger/run-ledger';
import {
  followName,
  shardAfterFollowerLoss,
  shardAfterPromotion,
  synchronousNames,
} from '../../core/node-recovery/ownership';
import { reportedPositionKey } from '../../core/node-recovery/reported-position';
import { opinionKey, type Opinion } from '../../core/node-recovery/witnesses';
import type { Random } from '../../core/ports/clock';
import type { DomainEvent, MetricValue } from '../../core/ports/surroundings';
import type { StepHandler } from '../../core/step/define-step';
import { startExecution, type Execution, type HistoryEvent, type TaskCall } from '../../local/states/execution';
import { stateEvent } from '../../local/control/local-executions';
import { VirtualClock } from '../../local/states/virtual-clock';
import { NodeRecovery } from '../../lib/workflows/node-recovery';
import { answerTask, askedOf, deployMachine, itemsIn, stepOf, type DeployedMachine } from './deployed-machine';
import { leftoversOf, missingWrites, twoWriters } from './cluster-checks';
import { KillablePorts, type Invocation } from './killable-ports';
import { Killed } from './mortal-calls';
import { SimulatedDatabases } from './simulated-databases';
import { SimulatedDns } from './simulated-dns';
import { SimulatedHostCommands } from './simulated-host-commands';
import { SimulatedMachines } from './simulated-machines';
import { SimulatedManagedDatabases } from './simulated-managed-databases';
import { SimulatedObjects } from './simulated-objects';
import { SimulatedRegistry } from './simulated-registry';
import { SimulatedStatusAlarms } from './simulated-status-alarms';
import { SimulatedServers, type SimulatedServer, type WriteAnswer } from './simulated-server';

export const cluster = 'orders';
const sites = ['a', 'b'];

let deployed: DeployedMachine | null = null;

/** The state machine of all these worlds, synthesized once. */
export function deployedNodeRecovery(): DeployedMachine {
  deployed ??= deployMachine('node-recovery', (stack) => new NodeRecovery(stack, 'NodeRecovery'));
  return deployed;
}

/** Ports at whose calls a step may be killed. */
const killable = [
  'ledger',
  'leases',
  'registry',
  'machines',
  'statusAlarms',
  'hostCommands',
  'databases',
  'dns',
  'backups',
  'evidence',
  'executions',
];

export interface SimulatedClusterOptions {
  /** @default {} */
  readonly settings?: JsonObject;
  /** `replicated`: one shard, and each node has it whole. @default 'sharded' */
  readonly layout?: ClusterSettings['layout'];
  /** @default 8 */
  readonly shards?: number;
  /** All nodes are managed instances. @default false */
  readonly managed?: boolean;
  /** The jitter of retries and the ids that expressions make. @default always 0.5 */
  readonly random?: Random;
}

/** How the work of a step's function ended. */
export type Ended = { readonly answer: Json } | { readonly thrown: unknown };

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
  readonly hostCommands = new SimulatedHostCommands(
    this.servers,
    async (machineId) => (await this.machines.observe(machineId))?.address ?? '',
    this.snapshots,
  );
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
  readonly mortality = new KillablePorts();
  readonly settings: ClusterSettings;
  /** By shard and key: what clients were told was written, and what they tried since and were told nothing about. */
  readonly acknowledged = new Map<string, (string | null)[]>();

  private invocations = 0;
  private readonly random: Random;

  private constructor(options: SimulatedClusterOptions) {
    this.random = options.random ?? { next: () => 0.5 };
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
    const replicated = options.layout === 'replicated';
    const given = {
      layout: options.layout ?? 'sharded',
      ...(replicated ? { durability: 'asynchronous' } : {}),
      shardCount: replicated ? 1 : (options.shards ?? 8),
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
    const { shardCount, layout } = this.settings;
    const meta = { name: cluster, engine: 'postgresql', layout, shardCount, epoch: 1 } as const;
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
    if (layout === 'replicated') {
      await this.addReplicatedShard();
    }
    for (let number = 0; layout === 'sharded' && number < shardCount; number += 1) {
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

  /** All rows, of which node-1 is the primary; all others stand behind it. */
  private async addReplicatedShard(): Promise<void> {
    const [id, primary] = ['shard_0000', await this.address('node-1')];
    const value: Shard = {
      id,
      schemas: [id],
      epoch: 1,
      primary: primary.nodeId,
      follower: null,
      version: 1,
      state: 'in sync',
      fence: null,
    };
    await this.registry.add(cluster, { kind: 'SHARD', value });
    await this.databases.installShard(primary, { shard: id, schemas: value.schemas, epoch: 1, writable: true });
    for (const nodeId of ['node-2', 'node-3', 'node-4']) {
      const standby = await this.address(nodeId);
      this.servers.restoreStandby(this.dns.resolve(standby.host), this.servers.copy(this.dns.resolve(primary.host)));
      await this.databases.standBehind(standby, { name: standbyName(nodeId), primary });
    }
  }

  /** What a primary's agent reports each second, where commits wait for nobody. */
  async reportPosition(nodeId: string): Promise<void> {
    const position = this.servers.at(this.dns.resolve((await this.address(nodeId)).host))?.position() ?? '';
    const value = { nodeId, position, atMs: this.clock.nowMs(), confirmed: {}, earlier: [] };
    await this.store.write([
      { kind: 'put', key: reportedPositionKey(cluster, nodeId), value, when: { absentOrEquals: {} } },
    ]);
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

  /** Acknowledged writes that whoever has to have them lacks, or has otherwise. */
  async missing(): Promise<readonly string[]> {
    return missingWrites(this);
  }

  /** What an ended recovery must not leave behind, and what must be there: in words, one line each. */
  async leftovers(): Promise<readonly string[]> {
    return leftoversOf(this);
  }

  /** Shards that more than one living server accepts writes for. */
  writers(): readonly string[] {
    return twoWriters(this.servers);
  }

  async address(nodeId: string) {
    return this.addressOf(await this.registry.node(cluster, nodeId));
  }

  private addressOf(node: Pick<NodeItem, 'id' | 'host' | 'port'>) {
    return { cluster, nodeId: node.id, host: node.host, port: node.port, database: 'shop' };
  }

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
    const machine = deployedNodeRecovery();
    const execution = startExecution(machine.machine, {
      name,
      input: { cluster, trigger: 'agent:node-2', ...input },
      world: {
        clock: this.clock,
        random: this.random,
        tasks: { run: (call) => this.run(machine, call) },
        objects: itemsIn(this.backups),
        onEvent: (of, event) => {
          this.onEvent(of, event);
        },
      },
    });
    this.executions.set(name, execution);
    return execution;
  }

  /** Called for each event of each execution's history. */
  onEvent: (execution: Execution, event: HistoryEvent) => void = () => undefined;

  private async run(machine: DeployedMachine, call: TaskCall): Promise<Json> {
    const { name, event } = askedOf(call);
    const limitMs = machine.limitsMs.get(name) ?? 0;
    return answerTask(machine, call, async (entry) => {
      this.steps.push({ entry, state: call.stateName });
      await this.onStep(call.stateName);
      const invocation = this.invocation(call.stateName, event, limitMs);
      return async (given) =>
        this.withinLimit(invocation, this.ends(invocation, await this.handler(entry, invocation), given));
    });
  }

  private invocation(state: string, event: unknown, limitMs: number): Invocation {
    this.invocations += 1;
    return { number: this.invocations, state, event, endsAtMs: this.clock.nowMs() + limitMs, dead: false };
  }

  /** What a step's function answers; nothing is heard of a process that was killed, whatever it made of that. */
  private async ends(invocation: Invocation, handler: StepHandler<Json>, event: unknown): Promise<Json> {
    const remainingMs = (): number => invocation.endsAtMs - this.clock.nowMs();
    const ended = await this.onInvocation(invocation, () =>
      handler(event, { getRemainingTimeInMillis: remainingMs }).then(
        (answer) => ({ answer }),
        (thrown: unknown) => ({ thrown }),
      ),
    );
    if (invocation.dead) {
      throw new Killed(`invocation ${invocation.number}`);
    }
    if ('thrown' in ended) {
      throw ended.thrown;
    }
    return ended.answer;
  }

  /** Stands around each call of a step's function. */
  onInvocation: (invocation: Invocation, work: () => Promise<Ended>) => Promise<Ended> = (_invocation, work) => work();

  /** Lambda ends a function's process when its time is over, wherever it is then. */
  private async withinLimit<T>(invocation: Invocation, work: Promise<T>): Promise<T> {
    const done = new AbortController();
    const over = this.clock.sleep(invocation.endsAtMs - this.clock.nowMs(), done.signal).then(
      () => {
        invocation.dead = true;
        throw new Killed(`the end of the time of invocation ${invocation.number}`);
      },
      () => work,
    );
    try {
      return await Promise.race([work, over]);
    } finally {
      done.abort();
    }
  }

  /** The step of a file, as it is deployed but for its ports. */
  private async handler(entry: string, invocation: Invocation): Promise<StepHandler<Json>> {
    return stepOf(entry, this.ports(invocation));
  }

  /** Calls a step directly, for tests of one step. */
  async call(entry: string, state: string, input: JsonObject, execution = 'recovery-1'): Promise<Json> {
    const handler = await this.handler(`lambdas/${entry}.ts`, this.invocation(state, input, Number.POSITIVE_INFINITY));
    return handler({ run: { machine: 'node-recovery', execution, state }, input });
  }

  /** What steps are given as the port of this name; for tests that put a fault into the product. */
  replacePort: (name: string, port: object) => object = (_name, port) => port;

  /** All ports; each step takes those that it needs. */
  private ports(invocation: Invocation) {
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
      hostCommands: this.hostCommands,
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
    return Object.fromEntries(
      Object.entries(ports).map(([name, given]) => {
        const port = this.replacePort(name, given);
        return [name, killable.includes(name) ? this.mortality.wrap(name, port, invocation) : port];
      }),
    );
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
      visits: async (_machine: string, name: string) =>
        visitsOf((this.executions.get(name)?.history ?? []).map(stateEvent)),
    };
  }
}
