import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { Registry } from '../../core/ports/registry';

/** Where a shard is written. */
export interface Route {
  readonly epoch: number;
  readonly nodeId: string;
  /** The primary's name in DNS. */
  readonly hostName: string;
  readonly port: number;
}

const rereadEveryMs = 1_000;
/** However many clients find the map stale, it is reread this often at most. */
const leastPauseMs = 25;

/** The shard map as an application keeps it: read each second, and at once by who was refused. */
export class ShardMap {
  private readonly clusters: ClusterRegistry;
  private routes = new Map<string, Route>();
  private reading: Promise<void> | null = null;
  private readAtMs = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(
    registry: Registry,
    private readonly cluster: string,
    private readonly zone: string,
  ) {
    this.clusters = new ClusterRegistry(registry);
  }

  async start(): Promise<void> {
    await this.reread();
    this.timer = setInterval(() => {
      // An unreachable registry leaves the map as it is.
      this.reread().catch(() => undefined);
    }, rereadEveryMs);
  }

  stop(): void {
    if (this.timer !== null) {
      clearInterval(this.timer);
    }
  }

  route(shard: string): Route | null {
    return this.routes.get(shard) ?? null;
  }

  /** Reads the map again, unless it was read within the last moments. */
  async reread(): Promise<void> {
    if (this.reading === null && Date.now() - this.readAtMs < leastPauseMs) {
      return;
    }
    this.reading ??= this.read().finally(() => {
      this.reading = null;
      this.readAtMs = Date.now();
    });
    await this.reading;
  }

  private async read(): Promise<void> {
    const [shards, nodes] = await Promise.all([this.clusters.shards(this.cluster), this.clusters.nodes(this.cluster)]);
    const portOf = new Map(nodes.map((node) => [node.id, node.port]));
    this.routes = new Map(
      shards.map((shard) => [
        shard.id,
        {
          epoch: shard.epoch,
          nodeId: shard.primary,
          hostName: `${shard.primary}.${this.zone}`,
          port: portOf.get(shard.primary) ?? 5432,
        },
      ]),
    );
  }
}
