import { ClusterRegistry, databaseOf } from '../../core/cluster/cluster-registry';
import type { NodeItem, Shard } from '../../core/cluster/items';
import type { ClusterSettings } from '../../core/cluster/settings';
import { messageOf } from '../../core/errors';
import type { JsonObject } from '../../core/json';
import { agentDuties, type AgentFacts, type Duty } from '../../core/node-recovery/duties';
import { followName, synchronousNames } from '../../core/node-recovery/ownership';
import { keepStandingBehind } from '../../core/node-recovery/keep-standing-behind';
import { baseId, nodeBeside } from '../../core/node-recovery/replacement';
import type { Suspicion } from '../../core/node-recovery/suspicion';
import {
  agentWitnesses,
  type Opinion,
  opinionKey,
  opinionSchema,
  type Witness,
} from '../../core/node-recovery/witnesses';
import type { Clock } from '../../core/ports/clock';
import type {
  DatabaseAddress,
  DatabaseOwnership,
  DatabaseProbing,
  DatabaseReplication,
  DatabaseStandby,
} from '../../core/ports/database-engine';
import type { DatabaseWatches } from '../../core/ports/database-watch';
import type { Registry } from '../../core/ports/registry';
import type { Events, Metrics } from '../../core/ports/surroundings';
import { Peers } from './peers';
import { PositionReports } from './position-reports';
import { goOnAlone, promote, type PromotionTimes } from './promotion';

export interface AgentPorts {
  readonly clock: Clock;
  readonly registry: Registry;
  readonly databases: DatabaseOwnership & DatabaseReplication & DatabaseStandby & Pick<DatabaseProbing, 'position'>;
  readonly watches: DatabaseWatches;
  readonly events: Events;
  readonly metrics: Metrics;
  /** One JSON object a line, for whoever collects the host's logs. */
  readonly log: (entry: JsonObject) => void;
}

export interface AgentOptions {
  readonly cluster: ClusterSettings;
  /** The node, or the first holder of the place, that the agent stands beside. */
  readonly nodeId: string;
}

/** Looks this often while nothing is wrong, and this often while something is. */
const calmMs = 1_000;
const alertMs = 50;
const alertForMs = 8_000;
/** Opinions older than 10 s have no vote, so they are written again well before. */
const opinionEveryMs = 4_000;
const heartbeatEveryMs = 10_000;
const announceEveryMs = 30_000;
const reportEveryMs = 1_000;
const followEveryMs = 10_000;

/**
 * Runs beside one node's database server: watches its peers, takes over the shards that it follows when their primary
 * is gone, goes on alone when a follower is gone, and closes what the registry gave to another node.
 */
export class NodeAgent {
  private readonly clusters: ClusterRegistry;
  private readonly peers: Peers;
  private readonly unconfirmedSinceMs = new Map<string, number>();
  private readonly announcedAtMs = new Map<string, number>();
  private readonly reports: PositionReports;
  private nodes: readonly NodeItem[] = [];
  /** The node whose server is looked after now. */
  private nodeId: string;
  private selfAnswers = false;
  private wake = new AbortController();
  private readonly stopping = new AbortController();
  private loops: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly ports: AgentPorts,
    private readonly options: AgentOptions,
  ) {
    this.clusters = new ClusterRegistry(ports.registry);
    this.reports = new PositionReports(ports);
    this.nodeId = options.nodeId;
    this.peers = new Peers(ports.watches, ports.clock, (nodeId, suspicion) => {
      this.log('opinion changed', { about: nodeId, verdict: suspicion.verdict, detail: suspicion.detail });
      void this.writeOpinion(nodeId, suspicion);
      this.wake.abort();
    });
  }

  /** Works until `stop`. */
  start(): void {
    this.loops = Promise.all([
      this.repeat(
        'look',
        () => (this.anySuspicion() ? alertMs : calmMs),
        () => this.look(),
      ),
      this.repeat(
        'opinions',
        () => opinionEveryMs,
        () => this.writeOpinions(),
      ),
      this.repeat(
        'heartbeat',
        () => heartbeatEveryMs,
        () => this.beat(),
      ),
      this.repeat(
        'position',
        () => reportEveryMs,
        () => this.reportPosition(),
      ),
      this.repeat(
        'following',
        () => followEveryMs,
        () => this.follow(),
      ),
    ]);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.peers.stop();
    await this.loops;
  }

  private async repeat(what: string, everyMs: () => number, work: () => Promise<void>): Promise<void> {
    while (!this.stopping.signal.aborted) {
      this.wake = what === 'look' ? new AbortController() : this.wake;
      const signal = AbortSignal.any(
        what === 'look' ? [this.wake.signal, this.stopping.signal] : [this.stopping.signal],
      );
      try {
        await work();
      } catch (thrown) {
        // An agent never dies of a fault around it: it looks again.
        this.log(`${what} failed`, { error: messageOf(thrown) });
      }
      await this.ports.clock.sleep(everyMs(), signal).catch(() => undefined);
    }
  }

  /** Whether something began to go wrong just now: a node that stays silent for minutes needs no more looks than others. */
  private anySuspicion(): boolean {
    const silences = [...this.peers.suspicions().values()].flatMap((suspicion) => suspicion.silentSinceMs ?? []);
    const sinceMs = this.ports.clock.nowMs() - alertForMs;
    return [...silences, ...this.unconfirmedSinceMs.values()].some((beganAtMs) => beganAtMs > sinceMs);
  }

  /** One look at the world, and what follows from it. */
  private async look(): Promise<void> {
    const { cluster } = this.options;
    this.nodes = await this.clusters.nodes(cluster.name);
    const self = nodeBeside(this.options.nodeId, this.nodes);
    if (self === undefined) {
      return;
    }
    this.nodeId = self.id;
    const others = this.nodes.filter((node) => node.id !== self.id && node.state === 'serving');
    this.peers.follow(others.map((node) => databaseOf(cluster, node)));
    const address = databaseOf(cluster, self);
    const facts = await this.gather(address);
    const duties = agentDuties(facts);
    if (duties.length > 0) {
      await this.perform(address, facts, duties);
    }
  }

  private async gather(self: DatabaseAddress): Promise<AgentFacts> {
    const { cluster } = this.options;
    const { nodeId } = this;
    const { databases, registry, clock } = this.ports;
    const [local, confirming, following] = await Promise.all([
      databases.shards(self).catch(() => null),
      databases.synchronousFollowers(self).catch(() => null),
      this.streamingNames(self),
    ]);
    this.selfAnswers = local !== null;
    // Read after the server, so that what the registry already gave away is never taken for ours.
    const [shards, opinionItems] = await Promise.all([
      this.clusters.shards(cluster.name),
      registry.list(`CLUSTER#${cluster.name}`, 'OPINION#'),
    ]);
    const nowMs = clock.nowMs();
    this.noteStreaming(shards, confirming, following, nowMs);
    const opinions = opinionItems.map((item) => opinionSchema.parse(item.value));
    const suspicions = this.peers.suspicions();
    return {
      nodeId,
      durability: cluster.durability,
      shards,
      local,
      confirming,
      verdicts: new Map([...suspicions].map(([about, suspicion]) => [about, suspicion.verdict])),
      witnessesOf: (about) => this.witnessesOf(about, suspicions.get(about), opinions, nowMs),
      witnessesNeeded: cluster.policy.witnessesNeeded,
      silentForMs: (shard) => nowMs - (this.unconfirmedSinceMs.get(followName(shard)) ?? nowMs),
    };
  }

  private witnessesOf(
    about: string,
    own: Suspicion | undefined,
    opinions: readonly Opinion[],
    nowMs: number,
  ): readonly Witness[] {
    const site = this.nodes.find((node) => node.id === about)?.site ?? '';
    const siteOf = new Map(this.nodes.map((node) => [node.id, node.site]));
    const mine: Witness = {
      name: `agent ${this.nodeId}`,
      verdict: own?.verdict ?? null,
      detail: own?.detail ?? 'not probed',
    };
    const others = opinions.filter((opinion) => opinion.by !== this.nodeId);
    return [mine, ...agentWitnesses(others, { nodeId: about, site }, siteOf, nowMs)];
  }

  /** Which of this node's followers stream; null when the server does not answer. */
  private async streamingNames(self: DatabaseAddress): Promise<ReadonlySet<string> | null> {
    try {
      return new Set(await this.ports.databases.streamingFollowers(self));
    } catch {
      return null;
    }
  }

  private noteStreaming(
    shards: readonly Shard[],
    confirming: readonly string[] | null,
    streaming: ReadonlySet<string> | null,
    nowMs: number,
  ): void {
    const expected = shards
      .filter((shard) => shard.primary === this.nodeId && shard.follower !== null)
      .map(followName)
      .filter((name) => confirming?.includes(name) === true);
    for (const name of this.unconfirmedSinceMs.keys()) {
      if (!expected.includes(name)) {
        this.unconfirmedSinceMs.delete(name);
      }
    }
    for (const name of streaming === null ? [] : expected) {
      if (streaming?.has(name) === true) {
        this.unconfirmedSinceMs.delete(name);
      } else if (!this.unconfirmedSinceMs.has(name)) {
        this.unconfirmedSinceMs.set(name, nowMs);
      }
    }
  }

  private async perform(self: DatabaseAddress, facts: AgentFacts, duties: readonly Duty[]): Promise<void> {
    // What is announced is logged when it is, which is seldom.
    for (const duty of duties.filter(({ kind }) => kind !== 'announce')) {
      this.log(duty.kind, { reason: duty.reason });
    }
    const { databases } = this.ports;
    const closing = duties.filter((duty) => duty.kind === 'close');
    await this.all(closing, (duty) => databases.revokeShard(self, duty));
    const alone = await this.all(
      duties.filter((duty) => duty.kind === 'go on alone'),
      (duty) => goOnAlone({ registry: this.clusters }, self.cluster, duty.shard),
    );
    const changed = alone.filter((shard) => shard !== null);
    if (changed.length > 0 || duties.some((duty) => duty.kind === 'confirm by')) {
      const shards = facts.shards.map((shard) => changed.find((after) => after.id === shard.id) ?? shard);
      await databases.setSynchronousFollowers(self, synchronousNames(self.nodeId, shards));
    }
    const promoting = duties.filter((duty) => duty.kind === 'promote');
    const promoted = await this.all(promoting, (duty) =>
      promote({ clock: this.ports.clock, registry: this.clusters, databases }, self, duty.shard),
    );
    const opening = [...duties.filter((duty) => duty.kind === 'open').map((duty) => duty.shard), ...changed];
    await this.all(opening, (shard) => databases.openShard(self, { shard: shard.id, epoch: shard.epoch }));
    await this.announce(
      duties,
      promoted.flatMap((won) => (won === null ? [] : [won.times])),
    );
  }

  /** Does all of them at once; what failed is logged and found again at the next look. */
  private async all<Item, Done>(items: readonly Item[], work: (item: Item) => Promise<Done>): Promise<readonly Done[]> {
    const answers = await Promise.allSettled(items.map(work));
    return answers.flatMap((answer) => {
      if (answer.status === 'fulfilled') {
        return [answer.value];
      }
      this.log('duty failed', { error: messageOf(answer.reason) });
      return [];
    });
  }

  /** Tells the workflow which node is gone; repeated, because events can be lost, and repeated ones start nothing. */
  private async announce(duties: readonly Duty[], promoted: readonly PromotionTimes[]): Promise<void> {
    const { clock, events } = this.ports;
    const nowMs = clock.nowMs();
    const gone = new Map<string, string>();
    for (const duty of duties) {
      if (duty.kind === 'announce') {
        gone.set(duty.nodeId, duty.reason);
      } else if (duty.kind === 'promote') {
        gone.set(duty.shard.primary, duty.reason);
      } else if (duty.kind === 'go on alone' && duty.shard.follower !== null) {
        gone.set(duty.shard.follower, duty.reason);
      }
    }
    for (const [nodeId, reason] of gone) {
      if (nowMs - (this.announcedAtMs.get(nodeId) ?? -announceEveryMs) < announceEveryMs && promoted.length === 0) {
        continue;
      }
      this.announcedAtMs.set(nodeId, nowMs);
      const suspectedAtMs = this.peers.suspicions().get(nodeId)?.silentSinceMs ?? null;
      const detail = {
        nodeId,
        by: this.nodeId,
        reason,
        suspectedAtMs,
        promoted: promoted.map((times) => ({ ...times })),
      };
      this.log('announced', detail);
      await events.publish({
        type: promoted.length > 0 ? 'ShardsPromoted' : 'NodeSilent',
        cluster: this.options.cluster.name,
        detail,
      });
    }
  }

  private async writeOpinions(): Promise<void> {
    await Promise.all([...this.peers.suspicions()].map(([about, suspicion]) => this.writeOpinion(about, suspicion)));
  }

  private async writeOpinion(about: string, suspicion: Suspicion): Promise<void> {
    const { cluster } = this.options;
    const { nodeId } = this;
    const opinion: Opinion = {
      by: nodeId,
      about,
      verdict: suspicion.verdict,
      detail: suspicion.detail,
      atMs: this.ports.clock.nowMs(),
    };
    const key = { pk: `CLUSTER#${cluster.name}`, sk: opinionKey(nodeId, about) };
    await this.ports.registry
      .write([{ kind: 'put', key, value: opinion, when: { absentOrEquals: { by: nodeId } } }])
      .catch((thrown: unknown) => {
        this.log('opinion not written', { about, error: messageOf(thrown) });
      });
  }

  /** Says that the node is there: beside an RDS instance, which may be gone while its agent is not, only while it answers. */
  private async beat(): Promise<void> {
    const { cluster } = this.options;
    const { nodeId } = this;
    if (!this.selfAnswers && this.nodes.find((node) => node.id === nodeId)?.machineKind === 'rds') {
      return;
    }
    // The alarm was made for the node that was there first; whoever took its place keeps it quiet.
    const dimensions = { Cluster: cluster.name, Node: baseId(nodeId) };
    await this.ports.metrics.publish([{ name: 'Heartbeat', unit: 'Count', value: 1, dimensions }]);
  }

  /** Only where commits wait for nobody: there it bounds what a promotion loses. */
  private async reportPosition(): Promise<void> {
    const { cluster } = this.options;
    const self = this.nodes.find((node) => node.id === this.nodeId);
    if (cluster.durability === 'asynchronous' && self !== undefined) {
      await this.reports.report(databaseOf(cluster, self));
    }
  }

  /** A standby that was silent while another one was promoted follows it as soon as it is back. */
  private async follow(): Promise<void> {
    const { cluster } = this.options;
    const self = this.nodes.find((node) => node.id === this.nodeId);
    if (self !== undefined) {
      const ports = { clusterRegistry: this.clusters, databases: this.ports.databases };
      const primary = await keepStandingBehind(ports, cluster, self);
      if (primary !== null) {
        this.log('stands behind', { primary });
      }
    }
  }

  private log(what: string, detail: JsonObject): void {
    this.ports.log({ atMs: this.ports.clock.nowMs(), node: this.nodeId, what, ...detail });
  }
}
