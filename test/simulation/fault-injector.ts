import { RejoinError } from '../../core/errors';
import type { Invocation, PortCall } from '../support/killable-ports';
import { Killed } from '../support/mortal-calls';
import { cluster, type Ended, type SimulatedCluster } from '../support/simulated-cluster';
import { onlyReads } from './port-calls';
import { inWords, type Fault, type NodeName, type Plan, type Service } from './plan';

const throttled = {
  registry: ['RegistryThrottled', ['registry', 'ledger', 'leases']],
  databases: ['SqlUnavailable', ['databases']],
  api: ['ApiThrottled', ['machines', 'dns', 'statusAlarms', 'hostCommands', 'backups', 'evidence', 'executions']],
} as const;

const other = 'somebody';

type NodeFault = Extract<Fault, { readonly node: NodeName }>;

export interface InjectorHooks {
  readonly say: (what: string) => void;
  readonly startSecond: () => void;
  readonly stopFirst: () => void;
}

/** Brings a plan's faults about, each at its call. */
export class FaultInjector {
  /** Calls of ports by steps so far. */
  calls = 0;
  /** Nodes that a fault had a part in, with the newest node in their place where it was named so. */
  readonly touched = new Set<string>();
  /** Whether replication may be broken between two nodes that live. */
  brokeReplication = false;
  /** Whether a command reached its machine long after the step that sent it was gone. */
  lateCommand = false;
  private changes = 0;
  private readonly due = new Map<number, readonly Fault[]>();
  private readonly shortages = new Map<Service, number>();

  constructor(
    private readonly world: SimulatedCluster,
    plan: Plan,
    private readonly hooks: InjectorHooks,
  ) {
    for (const fault of plan.faults) {
      this.due.set(fault.at, [...(this.due.get(fault.at) ?? []), fault]);
    }
  }

  /** One call of a port, with whatever is due at it. */
  async around({ port, method, invocation }: PortCall, effect: () => Promise<unknown>): Promise<unknown> {
    this.calls += 1;
    const due = onlyReads(`${port}.${method}`) ? [] : this.nextDue();
    for (const fault of due) {
      this.hooks.say(`fault at ${port}.${method} of '${invocation.state}': ${inWords(fault)}`);
      await this.bringAbout(fault, invocation);
    }
    this.throwIfThrottled(port);
    const kill = due.find((fault) => fault.kind === 'kill step');
    if (kill?.when === 'before') {
      this.end(invocation);
    }
    for (const fault of due) {
      if (fault.kind === 'slow call') {
        this.lateCommand ||= port === 'hostCommands';
        await this.world.clock.sleep(fault.delayMs);
      }
    }
    const result = await effect();
    if (kill?.when === 'after') {
      this.end(invocation);
    }
    return result;
  }

  /** What goes wrong before anybody is called. */
  async beginning(): Promise<void> {
    for (const fault of this.due.get(0) ?? []) {
      this.hooks.say(`fault: ${inWords(fault)}`);
      await this.bringAbout(fault, null);
    }
  }

  private nextDue(): readonly Fault[] {
    this.changes += 1;
    return this.due.get(this.changes) ?? [];
  }

  /** Lets a step whose answer is lost end as if it had been killed at its end. */
  async invocation(invocation: Invocation, work: () => Promise<Ended>): Promise<Ended> {
    const ended = await work();
    if (this.unheard.has(invocation)) {
      invocation.dead = true;
    }
    return ended;
  }

  private readonly unheard = new Set<Invocation>();

  private end(invocation: Invocation): never {
    invocation.dead = true;
    throw new Killed(`call ${this.calls}`);
  }

  private throwIfThrottled(port: string): void {
    for (const [service, left] of this.shortages) {
      const [name, ports] = throttled[service];
      if (left > 0 && (ports as readonly string[]).includes(port)) {
        this.shortages.set(service, left - 1);
        throw new RejoinError(name, `the simulated ${service} answers nobody for now`);
      }
    }
  }

  private async bringAbout(fault: Fault, invocation: Invocation | null): Promise<void> {
    if ('node' in fault) {
      await this.touch(fault);
      return;
    }
    switch (fault.kind) {
      case 'kill step':
      case 'slow call':
        return;
      case 'throttle':
        this.shortages.set(fault.service, fault.calls);
        return;
      case 'answer lost':
        if (invocation !== null) {
          this.unheard.add(invocation);
        }
        return;
      case 'no capacity':
        this.world.machines.exhaust(fault.site);
        return;
      case 'second execution':
        this.hooks.startSecond();
        return;
      case 'execution stopped':
        this.hooks.stopFirst();
        return;
      case 'lease taken away':
        await this.takeLease(fault.forMs);
        return;
      case 'command fails':
        this.world.hostCommands.failing = fault.command;
    }
  }

  private async touch(fault: NodeFault): Promise<void> {
    const node = await this.nodeOf(fault.node);
    if (node === null) {
      return;
    }
    const server = this.world.servers.at(this.world.dns.resolve(node.host));
    if (fault.kind === 'machine hangs') {
      this.world.machines.hang(node.machineId);
      return;
    }
    if (server === null) {
      return;
    }
    this.touched.add(node.id);
    this.brokeReplication ||= fault.kind === 'slots are lost' || fault.kind === 'replication stops';
    switch (fault.kind) {
      case 'node dies':
        server.answers = false;
        return;
      case 'node is cut off':
        server.reachable = false;
        return;
      case 'node comes back':
        if ((await this.world.machines.observe(node.machineId))?.state === 'running') {
          server.answers = true;
          server.reachable = true;
        }
        return;
      case 'replication stops':
      case 'replication goes on':
        server.replicates = fault.kind === 'replication goes on';
        return;
      case 'slots are lost':
        for (const slot of server.slots.values()) {
          slot.lost = true;
        }
    }
  }

  private async nodeOf(name: NodeName) {
    const nodes = await this.world.registry.nodes(cluster);
    return name === 'replacement'
      ? (nodes.filter(({ id }) => id.includes('-r')).at(-1) ?? null)
      : (nodes.find(({ id }) => id === name) ?? null);
  }

  /** What the other execution does at its end, should nobody have taken the lease since. */
  async giveLeaseBack(): Promise<void> {
    const key = { pk: `CLUSTER#${cluster}`, sk: 'LEASE' };
    if ((await this.world.store.read(key))?.['holder'] === other) {
      await this.world.store.write([{ kind: 'remove', key, when: { equals: { holder: other } } }]);
    }
  }

  /** As an execution of another workflow would take it, had the lease run out. */
  private async takeLease(forMs: number): Promise<void> {
    const { store, clock } = this.world;
    const [pk, meta] = [`CLUSTER#${cluster}`, await this.world.registry.meta(cluster)];
    const epoch = meta.epoch + 1;
    const lease = { cluster, name: '', holder: other, epoch, expiresAtMs: clock.nowMs() + forMs };
    await store.write([
      { kind: 'put', key: { pk, sk: 'META' }, value: { ...meta, epoch }, when: { equals: {} } },
      { kind: 'put', key: { pk, sk: 'LEASE' }, value: lease, when: { absentOrEquals: {} } },
    ]);
  }
}
