import { connect, createServer, type Server, type Socket } from 'node:net';
import { RejoinError } from '../../core/errors';
import { Channel } from './channel';
import { ownersOf, type ConnectionEnds } from './connection-owner';
import { readProcess } from '../processes/process-table';
import { FlowTable, type FlowFault } from './flow';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface Exposure {
  /** Whose address it is. */
  readonly member: string;
  /** Where others reach it. */
  readonly listen: Endpoint;
  /** Where it really listens. */
  readonly target: Endpoint;
}

/** The relay itself; see `Relay` for why it is as it is. */
export class RelayServer {
  private readonly table = new FlowTable();
  private readonly listeners = new Map<string, Server>();
  private readonly connections = new Set<RelayedConnection>();
  private readonly memberOfAddress = new Map<string, string>();
  private readonly roots = new Map<string, readonly number[]>();

  /** Opens a public address. @throws ApiRefused when it is taken */
  async expose(exposure: Exposure): Promise<void> {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (socket) => {
      this.accept(socket, exposure);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => {
        const { host, port } = exposure.listen;
        reject(
          new RejoinError(
            'ApiRefused',
            `port ${port} of ${host} can't be opened for '${exposure.member}': ${error.message}; end the process that uses it`,
          ),
        );
      });
      server.listen({ host: exposure.listen.host, port: exposure.listen.port, backlog: 511 }, resolve);
    });
    this.listeners.set(endpointKey(exposure.listen), server);
  }

  /** Closes a public address: from now on it refuses. Connections that there are stay. Closing it twice is no error. */
  async conceal(listen: Endpoint): Promise<void> {
    this.listeners.get(endpointKey(listen))?.close();
    this.listeners.delete(endpointKey(listen));
  }

  /** Connections that come from this address are this member's. */
  async nameSource(address: string, member: string): Promise<void> {
    this.memberOfAddress.set(address, member);
  }

  /** Connections that these processes, or what they start, open without an address of their own are this member's. */
  async setProcesses(member: string, pids: readonly number[]): Promise<void> {
    this.roots.set(member, pids);
  }

  /** Changes how bytes get from one member to another, for connections that there are and for new ones. */
  async setFlow(from: string, to: string, fault: FlowFault | null): Promise<void> {
    this.table.set(from, to, fault);
    this.identify([...this.connections]);
    for (const connection of this.connections) {
      connection.apply(this.table);
    }
  }

  async close(): Promise<void> {
    for (const server of this.listeners.values()) {
      server.close();
    }
    this.listeners.clear();
    for (const connection of this.connections) {
      connection.reset();
    }
  }

  private accept(socket: Socket, exposure: Exposure): void {
    const connection = new RelayedConnection(
      socket,
      exposure,
      this.memberOfAddress.get(socket.remoteAddress ?? '') ?? null,
    );
    this.connections.add(connection);
    connection.onClosed = () => this.connections.delete(connection);
    this.identify([connection]);
    connection.apply(this.table);
  }

  private identify(connections: readonly RelayedConnection[]): void {
    if (this.table.quiet) {
      return;
    }
    // Whose a connection is matters only where it may be one that a fault is about; a member that is dead opens none.
    const members = this.table.members;
    const suspects = new Map(
      [...this.roots].filter(
        ([member, pids]) => members.has(member) && pids.some((pid) => readProcess(pid)?.ended === false),
      ),
    );
    if (suspects.size === 0) {
      return;
    }
    const unknown = connections.filter((connection) => connection.source === null && connection.ends !== null);
    const owners = ownersOf(
      unknown.flatMap(({ ends }) => (ends === null ? [] : [ends])),
      suspects,
    );
    unknown.forEach((connection, index) => {
      connection.source = owners[index] ?? null;
    });
  }
}

/** One client, the server that it wants, and what happens between them. */
class RelayedConnection {
  source: string | null;
  /** Null when the client was gone before it could be asked. */
  readonly ends: ConnectionEnds | null;
  onClosed: () => void = () => undefined;
  private upstream: Socket | null = null;
  private channels: { readonly there: Channel; readonly back: Channel } | null = null;

  constructor(
    private readonly client: Socket,
    private readonly exposure: Exposure,
    source: string | null,
  ) {
    this.source = source;
    this.ends = endsOf(client);
    client.on('error', () => undefined);
    client.on('close', () => {
      this.closed();
    });
  }

  apply(table: FlowTable): void {
    const there = table.flow(this.source, this.exposure.member);
    const back = table.flow(this.exposure.member, this.source);
    if (there.state === 'cut' || back.state === 'cut') {
      this.reset();
      return;
    }
    if (this.channels === null && there.state === 'open' && back.state === 'open') {
      this.channels = this.open();
    }
    this.channels?.there.set(there);
    this.channels?.back.set(back);
  }

  reset(): void {
    this.client.resetAndDestroy();
    this.upstream?.resetAndDestroy();
  }

  private open(): { readonly there: Channel; readonly back: Channel } {
    const upstream = connect({ ...this.exposure.target, allowHalfOpen: true, noDelay: true });
    this.upstream = upstream;
    upstream.on('error', () => undefined);
    upstream.on('close', () => {
      this.closed();
    });
    return { there: new Channel(this.client, upstream), back: new Channel(upstream, this.client) };
  }

  private closed(): void {
    const clientGone = this.client.destroyed;
    const upstreamGone = this.upstream?.destroyed ?? true;
    if (clientGone && upstreamGone) {
      this.channels?.there.close();
      this.channels?.back.close();
      this.onClosed();
    }
  }
}

function endsOf(client: Socket): ConnectionEnds | null {
  const { remoteAddress, remotePort, localAddress, localPort } = client;
  if (
    remoteAddress === undefined ||
    remotePort === undefined ||
    localAddress === undefined ||
    localPort === undefined
  ) {
    return null;
  }
  return { localAddress: remoteAddress, localPort: remotePort, remoteAddress: localAddress, remotePort: localPort };
}

function endpointKey({ host, port }: Endpoint): string {
  return `${host}:${port}`;
}
