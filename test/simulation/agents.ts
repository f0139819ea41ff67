import { PositionReports } from '../../agents/node-agent/position-reports';
import { goOnAlone, promote } from '../../agents/node-agent/promotion';
import { databaseOf } from '../../core/cluster/cluster-registry';
import type { NodeItem, Shard } from '../../core/cluster/items';
import { agentDuties, type AgentFacts, type Duty } from '../../core/node-recovery/duties';
import { followName, synchronousNames } from '../../core/node-recovery/ownership';
import { agentWitnesses, opinionKey, opinionSchema, type Verdict } from '../../core/node-recovery/witnesses';
import type { DatabaseAddress } from '../../core/ports/database-engine';
import { cluster, type SimulatedCluster } from '../support/simulated-cluster';
import type { Prng } from './prng';

/**
 * The agents of a simulated cluster. What they have to do is decided and done by the agent's own code; its loops, which look
 * many times a second, are replaced by single looks at moments that the run draws, each as slow as the run draws.
 */
export class Agents {
  private readonly reports = new Map<string, PositionReports>();
  private readonly looking = new Map<string, Promise<void>>();
  private readonly unconfirmedSinceMs = new Map<string, number>();

  constructor(
    private readonly world: SimulatedCluster,
    private readonly random: Prng,
    private readonly say: (what: string) => void,
  ) {}

  /** What each agent that is reached says of every other node, and how far its own server's log goes. */
  async speak(): Promise<void> {
    const nodes = await this.serving();
    for (const self of nodes.filter((node) => this.answers(node))) {
      for (const other of nodes.filter((node) => node.id !== self.id)) {
        const verdict = this.answers(other) ? 'alive' : 'failed';
        const value = { by: self.id, about: other.id, verdict, detail: '', atMs: this.world.clock.nowMs() };
        const key = { pk: `CLUSTER#${cluster}`, sk: opinionKey(self.id, other.id) };
        await this.world.store.write([{ kind: 'put', key, value, when: { absentOrEquals: { by: self.id } } }]);
      }
      if (this.world.settings.durability === 'asynchronous') {
        const { clock, store, databases } = this.world;
        const reports = this.reports.get(self.id) ?? new PositionReports({ clock, registry: store, databases });
        this.reports.set(self.id, reports);
        await reports.report(this.addressOf(self));
      }
    }
  }

  /** Each agent that is not looking yet looks once with this chance; nobody waits for them. */
  async lookSometimes(share: number): Promise<void> {
    for (const node of await this.serving()) {
      if (!this.looking.has(node.id) && this.random.chance(share)) {
        this.looking.set(node.id, this.lookAndForget(node));
      }
    }
  }

  /** All agents look, until each has seen what the others did. */
  async settle(): Promise<void> {
    await Promise.all(this.looking.values());
    for (let round = 0; round < 3; round += 1) {
      await this.speak();
      for (const node of await this.serving()) {
        await this.lookAndForget(node);
      }
    }
  }

  private async lookAndForget(node: NodeItem): Promise<void> {
    try {
      await this.look(node);
    } catch (thrown) {
      // An agent never dies of a fault around it: it looks again.
      this.say(`agent of ${node.id}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    } finally {
      this.looking.delete(node.id);
    }
  }

  private async look(self: NodeItem): Promise<void> {
    if (!this.answers(self)) {
      return;
    }
    const address = this.addressOf(self);
    const facts = await this.gather(self, address);
    for (const duty of agentDuties(facts)) {
      this.say(`agent of ${self.id}: ${duty.kind}: ${duty.reason}`);
      await this.pause();
      await this.perform(address, facts, duty);
    }
  }

  private async gather(self: NodeItem, address: DatabaseAddress): Promise<AgentFacts> {
    const { databases, registry, store, clock, settings } = this.world;
    const local = await databases.shards(address);
    const confirming = await databases.synchronousFollowers(address);
    const streaming = await databases.streamingFollowers(address);
    await this.pause();
    const shards = await registry.shards(cluster);
    const opinions = await store.list(`CLUSTER#${cluster}`, 'OPINION#');
    const nodes = await this.serving();
    const sites = new Map(nodes.map((node) => [node.id, node.site]));
    const seen = (node: NodeItem): Verdict => (this.answers(node) ? 'alive' : 'failed');
    this.noteStreaming(self.id, shards, streaming);
    return {
      nodeId: self.id,
      durability: settings.durability,
      shards,
      local,
      confirming,
      verdicts: new Map(nodes.filter((node) => node.id !== self.id).map((node) => [node.id, seen(node)])),
      witnessesOf: (about) => {
        const node = nodes.find((each) => each.id === about);
        const others = opinions.map(({ value }) => opinionSchema.parse(value)).filter(({ by }) => by !== self.id);
        const mine = { name: `agent ${self.id}`, verdict: node === undefined ? null : seen(node), detail: '' };
        const subject = { nodeId: about, site: node?.site ?? '' };
        return [mine, ...agentWitnesses(others, subject, sites, clock.nowMs())];
      },
      witnessesNeeded: settings.policy.witnessesNeeded,
      silentForMs: (shard) => clock.nowMs() - (this.unconfirmedSinceMs.get(followName(shard)) ?? clock.nowMs()),
    };
  }

  private noteStreaming(self: string, shards: readonly Shard[], streaming: readonly string[]): void {
    for (const name of shards
      .filter(({ primary, follower }) => primary === self && follower !== null)
      .map(followName)) {
      if (streaming.includes(name)) {
        this.unconfirmedSinceMs.delete(name);
      } else if (!this.unconfirmedSinceMs.has(name)) {
        this.unconfirmedSinceMs.set(name, this.world.clock.nowMs());
      }
    }
  }

  private async perform(self: DatabaseAddress, facts: AgentFacts, duty: Duty): Promise<void> {
    const { clock, registry, databases } = this.world;
    switch (duty.kind) {
      case 'close':
        await databases.revokeShard(self, duty);
        return;
      case 'go on alone': {
        const after = await goOnAlone({ registry }, cluster, duty.shard);
        if (after !== null) {
          await this.pause();
          const shards = (await registry.shards(cluster)).map((shard) => (shard.id === after.id ? after : shard));
          await databases.setSynchronousFollowers(self, synchronousNames(self.nodeId, shards));
          await this.pause();
          await databases.openShard(self, { shard: after.id, epoch: after.epoch });
        }
        return;
      }
      case 'promote':
        await promote({ clock, registry, databases }, self, duty.shard);
        return;
      case 'open':
        await databases.openShard(self, { shard: duty.shard.id, epoch: duty.shard.epoch });
        return;
      case 'confirm by':
        await databases.setSynchronousFollowers(self, synchronousNames(self.nodeId, facts.shards));
        return;
      case 'announce':
        return;
    }
  }

  private async pause(): Promise<void> {
    const durationMs = this.random.pick([0, 0, 0, 1, 50]);
    if (durationMs > 0) {
      await this.world.clock.sleep(durationMs);
    }
  }

  private async serving(): Promise<readonly NodeItem[]> {
    return (await this.world.registry.nodes(cluster)).filter(({ state }) => state === 'serving');
  }

  private answers(node: NodeItem): boolean {
    const server = this.world.servers.at(this.world.dns.resolve(node.host));
    return server?.answers === true && server.reachable;
  }

  private addressOf(node: NodeItem): DatabaseAddress {
    return databaseOf(this.world.settings, node);
  }
}
