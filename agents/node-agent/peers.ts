import { afterProbe, type Suspicion, unprobed } from '../../core/node-recovery/suspicion';
import type { Clock } from '../../core/ports/clock';
import type { DatabaseAddress } from '../../core/ports/database-engine';
import type { DatabaseWatch, DatabaseWatches } from '../../core/ports/database-watch';

/** Spec: node-recovery, rule 4. */
export const probeEveryMs = 200;
export const probeTimeoutMs = 400;

interface Peer {
  readonly address: DatabaseAddress;
  readonly watch: DatabaseWatch;
  suspicion: Suspicion;
  wake: AbortController;
  stopped: boolean;
  done: Promise<void>;
}

/** Probes every other member of the cluster, each on a loop of its own, so that one that hangs does not delay the others. */
export class Peers {
  private readonly peers = new Map<string, Peer>();

  /** @param onChange told of each peer whose verdict changed */
  constructor(
    private readonly watches: DatabaseWatches,
    private readonly clock: Clock,
    private readonly onChange: (nodeId: string, suspicion: Suspicion) => void,
  ) {}

  /** Begins to probe new members and stops probing those that left or moved to another address. */
  follow(addresses: readonly DatabaseAddress[]): void {
    for (const [nodeId, peer] of this.peers) {
      const now = addresses.find((address) => address.nodeId === nodeId);
      if (now?.host !== peer.address.host || now.port !== peer.address.port) {
        this.peers.delete(nodeId);
        void stop(peer);
      }
    }
    for (const address of addresses) {
      if (!this.peers.has(address.nodeId)) {
        this.peers.set(address.nodeId, this.begin(address));
      }
    }
  }

  suspicions(): ReadonlyMap<string, Suspicion> {
    return new Map([...this.peers].map(([nodeId, peer]) => [nodeId, peer.suspicion]));
  }

  async stop(): Promise<void> {
    const peers = [...this.peers.values()];
    this.peers.clear();
    await Promise.all(peers.map(stop));
  }

  private begin(address: DatabaseAddress): Peer {
    const peer: Peer = {
      address,
      watch: this.watches.watch(address),
      suspicion: unprobed,
      wake: new AbortController(),
      stopped: false,
      done: Promise.resolve(),
    };
    // A connection that breaks is a reason to look at once; the count of rule 4 stays the same.
    peer.watch.onBreak(() => {
      peer.wake.abort();
    });
    peer.done = this.probeUntilStopped(peer);
    return peer;
  }

  private async probeUntilStopped(peer: Peer): Promise<void> {
    while (!peer.stopped) {
      const begunAtMs = this.clock.nowMs();
      const probe = await peer.watch.ping(probeTimeoutMs);
      const before = peer.suspicion;
      peer.suspicion = afterProbe(before, probe, begunAtMs);
      if (this.peers.has(peer.address.nodeId) && peer.suspicion.verdict !== before.verdict) {
        this.onChange(peer.address.nodeId, peer.suspicion);
      }
      await this.pause(peer, probeEveryMs - (this.clock.nowMs() - begunAtMs));
    }
  }

  private async pause(peer: Peer, durationMs: number): Promise<void> {
    peer.wake = new AbortController();
    await this.clock.sleep(Math.max(1, durationMs), peer.wake.signal).catch(() => undefined);
  }
}

async function stop(peer: Peer): Promise<void> {
  peer.stopped = true;
  peer.wake.abort();
  await peer.watch.close();
  await peer.done;
}
