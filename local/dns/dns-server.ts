import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { messageOf, RejoinError } from '../../core/errors';
import { answerMessage } from './answer';
import type { Zone } from './zone';

export interface DnsServerOptions {
  /** What it serves at this moment. */
  readonly zone: () => Zone;
  /** @default '127.0.0.1' */
  readonly host?: string;
  /** @default a free one, the same for UDP and TCP */
  readonly port?: number;
}

const portTries = 20;
const lengthBytes = 2;
const idleConnectionMs = 5_000;
const mostConnections = 200;

/** An authoritative DNS server of one zone, over UDP and TCP. It answers for no other zone and asks nobody else. */
export class DnsServer {
  private constructor(
    private readonly udp: UdpSocket,
    private readonly tcp: Server,
    private readonly connections: ReadonlySet<Socket>,
  ) {}

  /** @throws ApiRefused when the port is taken */
  static async start(options: DnsServerOptions): Promise<DnsServer> {
    const { host = '127.0.0.1', port = 0 } = options;
    const connections = new Set<Socket>();
    // A port that is free for TCP may be taken for UDP: then another one is tried.
    for (let attempt = 1; ; attempt += 1) {
      const tcp = createServer({ noDelay: true }, (socket) => {
        connections.add(socket.once('close', () => connections.delete(socket)));
        serveConnection(options.zone, socket);
      });
      tcp.maxConnections = mostConnections;
      const udp = createSocket('udp4', (message, from) => {
        const answer = answerMessage(options.zone(), message, 'udp');
        if (answer !== null) {
          udp.send(answer, from.port, from.address);
        }
      });
      try {
        await listenTcp(tcp, host, port);
        await bindUdp(udp, host, (tcp.address() as AddressInfo).port);
        return new DnsServer(udp, tcp, connections);
      } catch (thrown) {
        udp.close();
        tcp.close();
        if (port !== 0 || attempt === portTries) {
          throw new RejoinError(
            'ApiRefused',
            `no DNS server can listen on port ${port} of ${host}: ${messageOf(thrown)}; end the process that uses it, or choose another port`,
            { cause: thrown },
          );
        }
      }
    }
  }

  get host(): string {
    return (this.tcp.address() as AddressInfo).address;
  }

  get port(): number {
    return (this.tcp.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.connections) {
      socket.destroy();
    }
    await Promise.all([
      new Promise<void>((resolve) => this.udp.close(resolve)),
      new Promise<void>((resolve) => {
        this.tcp.close(() => {
          resolve();
        });
      }),
    ]);
  }
}

/** Messages on a TCP connection come one after the other, each behind its length. */
function serveConnection(zone: () => Zone, socket: Socket): void {
  let waiting = Buffer.alloc(0);
  socket.setTimeout(idleConnectionMs, () => socket.destroy());
  socket.unref();
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes: Buffer) => {
    waiting = Buffer.concat([waiting, bytes]);
    while (waiting.length >= lengthBytes) {
      const end = lengthBytes + waiting.readUInt16BE(0);
      if (waiting.length < end) {
        return;
      }
      const answer = answerMessage(zone(), waiting.subarray(lengthBytes, end), 'tcp');
      waiting = waiting.subarray(end);
      if (answer === null) {
        socket.destroy();
        return;
      }
      const length = Buffer.alloc(lengthBytes);
      length.writeUInt16BE(answer.length);
      socket.write(Buffer.concat([length, answer]));
    }
  });
}

async function listenTcp(tcp: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    tcp.once('error', reject);
    tcp.listen(port, host, resolve);
  });
}

async function bindUdp(udp: UdpSocket, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    udp.once('error', reject);
    udp.bind(port, host, () => {
      udp.off('error', reject);
      // An answer that can't be sent is lost, as UDP may lose it anyway.
      udp.on('error', () => undefined);
      resolve();
    });
  });
}
