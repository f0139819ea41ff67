import { evidenceSchema, type Evidence } from '../../core/evidence/evidence';
import { baseId } from '../../core/node-recovery/replacement';
import { outcomes } from '../../core/outcome/outcome';
import type { Execution } from '../../local/states/execution';
import { cluster, SimulatedCluster } from '../support/simulated-cluster';
import { Agents } from './agents';
import { Clients, type Acknowledged } from './clients';
import { Coverage } from './coverage';
import { FaultInjector } from './fault-injector';
import type { Plan } from './plan';
import { Prng } from './prng';
import { Watch, type Violation } from './watch';

/** What one simulated run came to. */
export interface RunResult {
  readonly plan: Plan;
  /** Of each execution in the order of their starts; `stopped` where a person stopped it. */
  readonly outcomes: readonly string[];
  readonly violations: readonly Violation[];
  readonly coverage: Coverage;
  /** What happened, a line each, in the order of the virtual clock; the last line stands for all calls of ports. */
  readonly trace: readonly string[];
}

const minuteMs = 60_000;
/** The machine gives up after 24 h. */
const boundMs = 25 * 60 * minuteMs;
/** Everything that is late has come by then, and every lease has run out. */
const settleMs = 70 * minuteMs;

/** Somebody who puts a fault into the product, for a run that has to find it. */
export type Plant = (world: SimulatedCluster) => void;

/** Runs a plan to its end. The same plan gives the same result, trace included. */
export async function simulate(plan: Plan, plant: Plant = () => undefined): Promise<RunResult> {
  return (await Run.open(plan, plant)).finish();
}

class Run {
  readonly coverage = new Coverage();
  readonly trace: string[] = [];
  private readonly executions: Execution[] = [];
  private readonly clients: Clients;
  private readonly agents: Agents;
  private readonly watch: Watch;
  private readonly faults: FaultInjector;
  private readonly beganAtMs: number;
  private digest = 0;
  private over = false;

  private constructor(
    private readonly plan: Plan,
    private readonly world: SimulatedCluster,
    private readonly random: Prng,
  ) {
    const say = (what: string): void => {
      this.say(what);
    };
    this.beganAtMs = world.clock.nowMs();
    const addresses = new Map(
      Object.keys(world.settings.nodes).map((id) => [id, world.dns.resolve(`${id}.${cluster}.internal`)]),
    );
    this.watch = new Watch(world, say);
    this.clients = new Clients(world, () => this.watch.shards, addresses, random.fork('clients'));
    this.agents = new Agents(world, random.fork('agents'), say);
    this.faults = new FaultInjector(world, plan, {
      say,
      startSecond: () => {
        this.start(`second-${this.executions.length}`, 'alarm');
      },
      stopFirst: () => {
        this.executions[0]?.stop('stopped', 'by a person');
      },
    });
  }

  static async open(plan: Plan, plant: Plant): Promise<Run> {
    const random = new Prng(plan.seed).fork('run');
    const world = await SimulatedCluster.open({
      layout: plan.layout,
      shards: plan.shards,
      settings: { durability: plan.durability },
      random: random.fork('jitter'),
    });
    const run = new Run(plan, world, random);
    plant(world);
    await run.prepare();
    return run;
  }

  private async prepare(): Promise<void> {
    const { world, plan } = this;
    await this.watch.begin();
    this.clients.begin();
    if (plan.snapshot) {
      world.machines.snapshot((await world.registry.node(cluster, 'node-2')).machineId);
    }
    this.clients.write(4);
    world.onEvent = (execution, event) => {
      this.coverage.note(execution, event);
    };
    world.onStep = (state) => this.beforeStep(state);
    world.mortality.around = (call, effect) => this.aroundCall(call, effect);
    world.onInvocation = async (invocation, work) => {
      await this.watch.invoked(invocation);
      const ended = await this.faults.invocation(invocation, work);
      const how = 'thrown' in ended ? String(ended.thrown) : 'ends';
      this.say(`step ${invocation.number} '${invocation.state}' ${invocation.dead ? 'is gone' : how}`);
      return ended;
    };
  }

  private async aroundCall(
    call: Parameters<FaultInjector['around']>[0],
    effect: () => Promise<unknown>,
  ): Promise<unknown> {
    for (const letter of `${call.port}.${call.method}@${this.world.clock.nowMs()}`) {
      this.digest = Math.imul(this.digest ^ letter.charCodeAt(0), 0x0100_0193) >>> 0;
    }
    if (this.random.chance(this.plan.latencyShare)) {
      await this.world.clock.sleep(this.random.pick([1, 5, 30, 200]));
    }
    if (this.random.chance(this.plan.writeShare)) {
      this.clients.write(1);
    }
    if (this.random.chance(this.plan.agentShare / 5)) {
      await this.agents.lookSometimes(0.5);
    }
    const result = await this.faults.around(call, () => {
      this.watch.before(call);
      return effect();
    });
    this.watch.after();
    return result;
  }

  private async beforeStep(state: string): Promise<void> {
    if (state.startsWith('Confirm') || this.plan.durability === 'asynchronous') {
      await this.agents.speak();
    }
    if (this.plan.agentShare > 0) {
      await this.agents.lookSometimes(this.plan.agentShare);
    }
    this.clients.write(this.plan.writesPerStep);
    this.watch.after();
  }

  async finish(): Promise<RunResult> {
    const { plan, world } = this;
    await this.begin();
    const first = this.start('recovery-1', 'agent:node-2');
    if (!(await this.allEnded())) {
      this.watch.found('every execution ends with a named outcome and a reason', 'an execution does not end');
    }
    if (first.status === 'ABORTED') {
      await this.settle();
      this.start('recovery-again', 'manual');
      await this.allEnded();
    }
    await this.settle();
    this.over = true;
    await this.check();
    this.say(
      `${this.faults.calls} calls, digest ${this.digest.toString(16)}, ${world.clock.nowMs() - this.beganAtMs} ms`,
    );
    const ended = this.executions.map((execution) => outcomeOf(execution).outcome);
    const { coverage, trace } = this;
    return { plan, outcomes: ended, violations: this.watch.violations, coverage, trace };
  }

  /** What happens to the node before anybody is called. */
  private async begin(): Promise<void> {
    const { plan, world } = this;
    await this.agents.speak();
    await this.faults.beginning();
    this.say(`${plan.layout}, ${plan.durability}, ${plan.shards} shards; ${plan.victim} is ${plan.beginning}`);
    const server = world.servers.at(world.dns.resolve(`${plan.victim}.${cluster}.internal`));
    if (server !== null && plan.beginning === 'dead') {
      server.answers = false;
    } else if (server !== null && plan.beginning === 'cut off') {
      server.reachable = false;
    }
    this.clients.write(2);
    await world.clock.sleep(1_000);
    await this.agents.speak();
    if (plan.agentsFirst && plan.beginning !== 'alive') {
      await this.agents.lookSometimes(1);
      await world.clock.sleep(1_000);
    }
  }

  private start(name: string, trigger: string): Execution {
    this.say(`execution '${name}' begins`);
    const planned = this.plan.beginning === 'planned';
    const given = planned ? { planned, trigger: 'manual' } : { trigger };
    const execution = this.world.recover({ nodeId: this.plan.victim, ...given }, name);
    this.executions.push(execution);
    return execution;
  }

  /** @returns false when one of them is still running though its time is over */
  private async allEnded(): Promise<boolean> {
    const tooLong = new AbortController();
    const bound = this.world.clock.sleep(boundMs, tooLong.signal).then(
      () => false,
      () => true,
    );
    for (const execution of this.executions) {
      if (!(await Promise.race([execution.finished.then(() => true), bound]))) {
        return false;
      }
    }
    tooLong.abort();
    return true;
  }

  private async settle(): Promise<void> {
    await this.world.clock.sleep(settleMs);
    for (const server of this.world.servers.all()) {
      server.replicates = true;
    }
    this.world.servers.replicate();
    await this.faults.giveLeaseBack();
    if (this.plan.agentShare > 0 || this.plan.agentsFirst) {
      await this.agents.settle();
    }
    this.watch.after();
  }

  private async check(): Promise<void> {
    const evidence: Evidence[] = [];
    for (const execution of this.executions) {
      const ended = outcomeOf(execution);
      this.say(`execution '${execution.name}' ended: ${ended.outcome}: ${ended.reason}`);
      if (ended.problem !== null) {
        this.watch.found('every execution ends with a named outcome and a reason', ended.problem);
      } else if (ended.outcome !== 'stopped') {
        const found = await this.evidenceOf(execution.name);
        evidence.push(...found);
        this.compareEvidence(ended, found[0] ?? null);
      }
    }
    this.checkRows(evidence);
    await this.checkLeftovers();
  }

  private async evidenceOf(name: string): Promise<readonly Evidence[]> {
    try {
      const body = await this.world.evidence.read(`${cluster}/node-recovery/${name}.json`);
      return [evidenceSchema.parse(JSON.parse(body.toString()))];
    } catch {
      return [];
    }
  }

  private compareEvidence(ended: Ended, evidence: Evidence | null): void {
    const found = (detail: string): void => {
      this.watch.found('the evidence agrees with the registry', detail);
    };
    if (evidence === null) {
      if (!ended.reason.includes('evidence could not be written')) {
        found(`an execution ended as ${ended.outcome} without evidence`);
      }
      return;
    }
    if (ended.reason.includes('evidence could not be written')) {
      return;
    }
    if (evidence.outcome !== ended.outcome || evidence.reason !== ended.reason) {
      found(`it says '${evidence.outcome}: ${evidence.reason}', and the execution '${ended.outcome}: ${ended.reason}'`);
    }
    const wrong = evidence.checks.filter(({ ok }) => !ok);
    if (ended.outcome === 'recovered' && wrong.length > 0) {
      found(`recovered, though these checks failed: ${JSON.stringify(wrong)}`);
    }
    for (const { of, fence } of evidence.fences) {
      const shard = this.watch.shards.find(({ id }) => id === of);
      if (shard !== undefined && (shard.fence === null || shard.fence.atMs < fence.atMs)) {
        found(`it has a fence of ${of} that the registry does not have`);
      }
    }
  }

  /** Acknowledged rows that an owner lacks; where commits wait for nobody, but for those in the loss that was reported. */
  private checkRows(evidence: readonly Evidence[]): void {
    const { servers } = this.world;
    for (const shard of this.watch.shards) {
      const primary = this.serverOf(shard.primary);
      const followers = servers
        .all()
        .filter(
          (server) => shard.follower !== null && shard.state === 'in sync' && server === this.serverOf(shard.follower),
        )
        .filter((server) =>
          [...server.subscriptions.keys()].some(
            (name) => primary !== null && servers.streaming(primary, name) === server,
          ),
        );
      for (const owner of [primary, ...followers]) {
        for (const [place, acknowledged] of this.clients.acknowledged) {
          const [id, key = ''] = place.split(' ');
          const value = owner?.shards.get(shard.id)?.rows.get(key)?.value ?? null;
          if (
            id === shard.id &&
            !acknowledged.values.includes(value) &&
            !this.lossWasReported(acknowledged, evidence)
          ) {
            const detail = `${place} on ${owner?.address ?? shard.primary} is ${value ?? 'absent'}, acknowledged ${acknowledged.values.join(' or ')}`;
            this.watch.found('no acknowledged write is lost', detail);
          }
        }
      }
    }
  }

  private lossWasReported({ atMs }: Acknowledged, evidence: readonly Evidence[]): boolean {
    return (
      this.plan.durability === 'asynchronous' &&
      evidence.some(({ fences, recoveryPointSeconds }) =>
        fences.some(({ fence }) => atMs <= fence.atMs && atMs >= fence.atMs - (recoveryPointSeconds ?? 0) * 1_000),
      )
    );
  }

  private async checkLeftovers(): Promise<void> {
    const last = outcomeOf(this.executions.at(-1) ?? null);
    const others = this.executions.slice(0, -1).map((execution) => outcomeOf(execution).outcome);
    const clean = ['recovered', 'undone', 'refused', 'no action needed'];
    // What an execution that was stopped by a person had begun, no later one takes away.
    if (![last.outcome, ...others].every((each) => clean.includes(each))) {
      return;
    }
    const left = (await this.world.leftovers()).filter((line) => !this.excused(line, last));
    if (left.length > 0) {
      this.watch.found('nothing is left over', `${last.outcome}, but ${left.join('; ')}`);
    }
  }

  /** Whether something that is left over is nothing that this recovery should have taken away. */
  private excused(line: string, { outcome, reason }: Ended): boolean {
    if (line === 'the lease is held') {
      // One that could not be given back, or was taken by a call that came late, runs out by itself.
      return this.plan.faults.some(({ kind }) => ['slow call', 'throttle', 'kill step', 'answer lost'].includes(kind));
    }
    if (!/ on node-|^standbys of /.test(line)) {
      return false;
    }
    // What a fault did to other nodes, and to those who replicate with them, the recovery of this one does not mend.
    // A replacement that a fault met after it had joined is such another node.
    const others = [...this.faults.touched].some(
      (node) => baseId(node) !== this.plan.victim || (outcome === 'recovered' && node !== this.plan.victim),
    );
    // Known and told in docs/reliability.md: no later state mends a late command, nor an undone one the other standbys.
    const known = this.faults.lateCommand || outcome === 'undone';
    const replicated = this.plan.layout === 'replicated' && (this.faults.touched.size > 0 || known);
    return (
      others ||
      replicated ||
      this.faults.brokeReplication ||
      reason.includes('left over') ||
      !['recovered', 'undone'].includes(outcome)
    );
  }

  private serverOf(nodeId: string) {
    return this.world.servers.at(this.world.dns.resolve(`${nodeId}.${cluster}.internal`));
  }

  private say(what: string): void {
    if (!this.over || what.startsWith('VIOLATION') || what.startsWith('execution') || what.includes('digest')) {
      this.trace.push(`+${((this.world.clock.nowMs() - this.beganAtMs) / 1_000).toFixed(3)} ${what}`);
    }
  }
}

interface Ended {
  readonly outcome: string;
  readonly reason: string;
  /** In words; null: it ended as it may. */
  readonly problem: string | null;
}

function outcomeOf(execution: Execution | null): Ended {
  const { status, result } = { status: execution?.status ?? 'RUNNING', result: resultOf(execution) };
  if (status === 'ABORTED') {
    return { outcome: 'stopped', reason: 'by a person', problem: null };
  }
  const { outcome, reason } = result;
  const named = (outcomes as readonly string[]).includes(outcome);
  const explained = reason !== '' && reason !== 'no reason was recorded';
  const problem = named && explained ? null : `${execution?.name ?? ''} ended as ${status} '${outcome}': '${reason}'`;
  return { outcome: named ? outcome : status, reason, problem };
}

/** What the last event of an execution says. */
function resultOf(execution: Execution | null): { readonly outcome: string; readonly reason: string } {
  const last = execution?.history.at(-1);
  const output = last?.executionSucceededEventDetails?.output;
  if (output !== undefined) {
    const { outcome = '', reason = '' } = JSON.parse(output) as { outcome?: string; reason?: string };
    return { outcome, reason };
  }
  const { error = '', cause = '' } = last?.executionFailedEventDetails ?? {};
  return { outcome: error, reason: cause };
}
