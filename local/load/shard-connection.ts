import { Client } from 'pg';
import { BoundSocket } from '../relay/bound-socket';
import type { Route, ShardMap } from './shard-map';

export interface ConnectionOrder {
  /** The shard's id. */
  readonly shard: string;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** The address that its connections come from. */
  readonly localAddress: string;
  /** Settings of each session, such as `-c TimeZone=UTC`. */
  readonly options?: string;
}

export interface ConnectionWorld {
  readonly map: ShardMap;
  readonly resolve: (hostName: string) => Promise<string>;
}

export interface OpenConnection {
  readonly client: Client;
  route: Route;
  /** The server gave up waiting for a follower: its last commit is not acknowledged. */
  warned: boolean;
}

const requestTimeoutMs = 1_000;
/**
 * A server that dies may take a connection and never answer it; waiting for that one is time in which the map is stale. A
 * busy one needs longer when everybody comes at once, so each try in vain is given twice the time, up to the limit.
 */
const connectTimeoutMs = { first: 300, most: 2_400 };

/** One client's connection to where its shard is written, made again whenever the shard map says another place. */
export class ShardConnection {
  private current: OpenConnection | null = null;
  private triesInVain = 0;

  constructor(
    private readonly order: ConnectionOrder,
    private readonly world: ConnectionWorld,
  ) {}

  /** @throws when the map has no such shard, or the server can't be reached */
  async open(): Promise<OpenConnection> {
    const { shard, database, user, password, localAddress, options } = this.order;
    const route = this.world.map.route(shard);
    if (route === null) {
      throw new Error(`the shard map has no ${shard}`);
    }
    if (this.current?.route.nodeId === route.nodeId) {
      this.current.route = route;
      return this.current;
    }
    await this.close();
    const client = new Client({
      host: await this.world.resolve(route.hostName),
      port: route.port,
      database,
      user,
      password,
      application_name: 'shop',
      stream: () => new BoundSocket(localAddress),
      connectionTimeoutMillis: Math.min(connectTimeoutMs.most, connectTimeoutMs.first * 2 ** this.triesInVain),
      query_timeout: requestTimeoutMs,
      ...(options === undefined ? {} : { options }),
    });
    client.on('error', () => undefined);
    const opened: OpenConnection = { client, route, warned: false };
    client.on('notice', (notice) => {
      opened.warned ||= notice.message?.startsWith('canceling wait for synchronous replication') === true;
    });
    this.current = opened;
    this.triesInVain += 1;
    await client.connect();
    this.triesInVain = 0;
    return opened;
  }

  /** Ends a transaction that an error has undone; the connection is made anew where that fails. */
  async rollBack(): Promise<void> {
    await this.current?.client.query('ROLLBACK').catch(() => this.close());
  }

  async close(): Promise<void> {
    const { current } = this;
    this.current = null;
    // A server that does not answer is not waited for.
    await Promise.race([
      current?.client.end().catch(() => undefined),
      new Promise((resolve) => setTimeout(resolve, 20)),
    ]);
  }
}
