import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { messageOf, RejoinError } from '../../core/errors';
import type { Json } from '../../core/json';
import type { Caller, ControlLinks } from './control-links';
import { callerHeader, type Answer } from './control-protocol';
import { remoteMethods, type PortName, type RemotePorts } from './remote-ports';

/** A registry write of 100 items has at most 4 MiB. */
const bodyLimitBytes = 8 * 1024 * 1024;
/** A caller that reuses a connection which the server closes at this moment sees an error: so it hardly ever does. */
const idleConnectionMs = 600_000;

/**
 * Serves ports to other processes of this computer: `POST /<port>/<method>`, the arguments as a JSON array, on a loopback
 * port. Only who knows the token is served, so that nobody else on the computer is.
 */
export class ControlServer {
  readonly token = randomBytes(24).toString('base64url');
  private readonly ports = new Map<PortName, RemotePorts[PortName]>();

  private constructor(
    private readonly server: Server,
    private readonly links: ControlLinks,
  ) {
    server.on('request', (request, response) => {
      void this.respond(request, response);
    });
  }

  static async start(links: ControlLinks): Promise<ControlServer> {
    const server = createServer({ keepAliveTimeout: idleConnectionMs, requestTimeout: 0 });
    const control = new ControlServer(server, links);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return control;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  serve<P extends PortName>(name: P, implementation: RemotePorts[P]): void {
    this.ports.set(name, implementation);
  }

  /** Ends every connection; calls that are under way get no answer. */
  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.server.close(() => {
        resolve();
      });
    });
  }

  private async respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.on('close', () => {
      gone.abort(new Error('the caller gave up'));
    });
    const caller = callerOf(request);
    try {
      if (!this.knows(request.headers.authorization)) {
        send(response, 401, errorAnswer(new RejoinError('ApiRefused', 'the token is missing or wrong')));
        return;
      }
      const body = await readBody(request);
      await this.links.pass(caller, gone.signal);
      const answer = await this.call(request.url ?? '', body);
      // The answer travels too: a link that was cut meanwhile keeps it.
      await this.links.pass(caller, gone.signal);
      send(response, 'error' in answer ? 422 : 200, answer);
    } catch (thrown) {
      if (!gone.signal.aborted) {
        send(response, 400, errorAnswer(thrown));
      }
    }
  }

  private async call(path: string, body: string): Promise<Answer> {
    try {
      const [, name = '', method = ''] = path.split('/');
      const implementation = this.ports.get(name as PortName);
      if (implementation === undefined || !Object.hasOwn(remoteMethods[name as PortName], method)) {
        throw new RejoinError('ApiRefused', `there is no '${method}' of a port '${name}' here`);
      }
      const act = (implementation as unknown as Readonly<Record<string, unknown>>)[method] as (
        ...given: readonly Json[]
      ) => Promise<Json | undefined>;
      return { value: (await act.apply(implementation, JSON.parse(body) as Json[])) ?? null };
    } catch (thrown) {
      return errorAnswer(thrown);
    }
  }

  private knows(authorization: string | undefined): boolean {
    const given = Buffer.from(authorization ?? '');
    const expected = Buffer.from(`Bearer ${this.token}`);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }
}

function callerOf(request: IncomingMessage): Caller {
  const nodeId = request.headers[callerHeader];
  return {
    nodeId: typeof nodeId === 'string' ? nodeId : null,
    address: (request.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > bodyLimitBytes) {
      throw new RejoinError('InvalidInput', `a call takes at most ${bodyLimitBytes} bytes`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

function errorAnswer(thrown: unknown): Answer {
  return { error: { name: thrown instanceof Error ? thrown.name : 'Error', message: messageOf(thrown) } };
}

function send(response: ServerResponse, status: number, answer: Answer): void {
  const body = Buffer.from(JSON.stringify(answer));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(body);
}
