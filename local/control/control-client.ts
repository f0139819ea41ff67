import { Agent, request } from 'node:http';
import { errorNames, RejoinError, type ErrorName } from '../../core/errors';
import type { Json } from '../../core/json';
import { callerHeader, type Answer } from './control-protocol';
import { remoteMethods, unansweredError, type PortName, type RemotePorts } from './remote-ports';

export interface ControlConnection {
  readonly url: string;
  readonly token: string;
  /** The node for which the calls are made; null: none. */
  readonly nodeId: string | null;
  /** The loopback address to call from; null: any. */
  readonly localAddress: string | null;
}

/** How long an answer of the registry is waited for: an agent must soon see that it is cut off, a function must not give up early. */
const agentRegistryTimeoutMs = 2_000;
const functionRegistryTimeoutMs = 10_000;
/** Others may have to try something that itself has a limit, such as a probe. */
const otherTimeoutMs = 30_000;

/**
 * The control process as another process sees it. Errors keep their name and message; no answer in time is an error that
 * may be tried again, though the call may have happened.
 */
export class ControlClient {
  private readonly agent: Agent;

  constructor(private readonly connection: ControlConnection) {
    const { localAddress } = connection;
    this.agent = new Agent({ keepAlive: true, ...(localAddress === null ? {} : { localAddress }) });
  }

  port<P extends PortName>(name: P): RemotePorts[P] {
    const methods = Object.keys(remoteMethods[name]).map((method): [string, unknown] => [
      method,
      async (...given: readonly Json[]): Promise<Json> => {
        const answer = await this.ask(name, method, given);
        if ('error' in answer) {
          throw rebuild(answer.error);
        }
        return answer.value;
      },
    ]);
    return Object.fromEntries(methods) as unknown as RemotePorts[P];
  }

  /** Ends idle connections. A process that ends need not. */
  close(): void {
    this.agent.destroy();
  }

  private async ask(port: PortName, method: string, given: readonly Json[]): Promise<Answer> {
    const body = Buffer.from(JSON.stringify(given));
    const { url, token, nodeId } = this.connection;
    const registryTimeoutMs = nodeId === null ? functionRegistryTimeoutMs : agentRegistryTimeoutMs;
    const timeoutMs = port === 'registry' ? registryTimeoutMs : otherTimeoutMs;
    return new Promise((resolve, reject) => {
      const fail = (cause: Error): void => {
        const message = `${port}.${method} got no answer: ${cause.message}; try again`;
        reject(new RejoinError(unansweredError[port], message, { cause }));
      };
      const call = request(`${url}/${port}/${method}`, {
        method: 'POST',
        agent: this.agent,
        timeout: timeoutMs,
        headers: {
          authorization: `Bearer ${token}`,
          'content-length': body.length,
          ...(nodeId === null ? {} : { [callerHeader]: nodeId }),
        },
      });
      call.on('response', (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', fail);
        response.on('end', () => {
          try {
            resolve(JSON.parse(Buffer.concat(parts).toString()) as Answer);
          } catch (thrown) {
            fail(thrown as Error);
          }
        });
      });
      call.on('timeout', () => {
        call.destroy(new Error(`none within ${timeoutMs} ms`));
      });
      call.on('error', fail);
      call.end(body);
    });
  }
}

function rebuild(error: { readonly name: string; readonly message: string }): Error {
  if ((errorNames as readonly string[]).includes(error.name)) {
    return new RejoinError(error.name as ErrorName, error.message);
  }
  return Object.assign(new Error(error.message), { name: error.name });
}
