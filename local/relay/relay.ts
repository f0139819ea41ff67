import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { build } from 'esbuild';
import { errorNames, RejoinError, type ErrorName } from '../../core/errors';
import { FlowTable, type Flow, type FlowFault } from './flow';
import type { Endpoint, Exposure } from './relay-server';
import type { RelayCall, RelayMethod, RelayReply } from './relay-process';

/**
 * The network between machines: every connection to a machine runs through here and can be delayed, throttled, cut and
 * partitioned while it runs.
 *
 * It listens at each machine's public address and passes bytes to the private port on which the machine's server really
 * listens. So nobody needs a special address book, and a connection string means the same to everyone, as on AWS. Who
 * opened a connection is known by its source address where the client binds one (agents, functions, applications, probes);
 * a connection that PostgreSQL opens itself comes from 127.0.0.1, and then the process that holds it tells, looked up only
 * while a fault is on, because that takes up to a tenth of a second in which nothing else gets through. The alternative, an address for each pair of machines, needs no look-up, but n² addresses, and connection strings
 * that differ by reader.
 *
 * It runs in a process of its own, which ends with ours: what else we do delays no byte. (A thread would do too, but
 * Node.js 20 sometimes never ends one that has passed many bytes.) A connection costs two sockets and, while nothing is
 * wrong, no queue and no timer.
 */
export class Relay {
  private readonly table = new FlowTable();
  private readonly members = new Map<string, string>();
  private readonly waiting = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  private calls = 0;

  private constructor(private readonly child: ChildProcess) {
    child.on('message', (reply: RelayReply) => {
      this.settle(reply);
    });
    child.on('exit', (code, signal) => {
      this.end(new Error(`the relay ended with ${code ?? signal ?? 'nothing'}`));
    });
    // A relay alone keeps no process alive.
    child.unref();
    child.channel?.unref();
  }

  static async start(): Promise<Relay> {
    const built = await build({
      entryPoints: [join(__dirname, 'relay-process.ts')],
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      minify: true,
      write: false,
    });
    const child = spawn(process.execPath, ['-e', built.outputFiles[0]?.text ?? ''], {
      // Ctrl-C in a terminal is for us; we then close it in order.
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    await once(child, 'spawn');
    return new Relay(child);
  }

  /** Opens a public address. @throws ApiRefused when it is taken */
  async expose(exposure: Exposure): Promise<void> {
    await this.call('expose', exposure);
    this.members.set(exposure.listen.host, exposure.member);
  }

  /** Closes a public address: from now on it refuses. Connections that there are stay. Closing it twice is no error. */
  async conceal(listen: Endpoint): Promise<void> {
    await this.call('conceal', listen);
  }

  /** Connections that come from this address are this member's. */
  async nameSource(address: string, member: string): Promise<void> {
    this.members.set(address, member);
    await this.call('nameSource', address, member);
  }

  /** Connections that these processes, or what they start, open without an address of their own are this member's. */
  async setProcesses(member: string, pids: readonly number[]): Promise<void> {
    await this.call('setProcesses', member, pids);
  }

  /**
   * Changes how bytes get from one member to another ('*': any), whoever opened the connection; null mends it. Holds for
   * connections that there are and for new ones when it resolves. In a partition nothing is lost: what was sent arrives
   * when it is mended, as TCP would send it again.
   */
  async setFlow(from: string, to: string, fault: FlowFault | null): Promise<void> {
    this.table.set(from, to, fault);
    await this.call('setFlow', from, to, fault);
  }

  /** How bytes get from one member to another now. */
  flow(from: string | null, to: string | null): Flow {
    return this.table.flow(from, to);
  }

  /** Whose address it is, or null. */
  memberAt(address: string): string | null {
    return this.members.get(address) ?? null;
  }

  /** Ends all connections, and the relay. */
  async close(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      await this.call('close');
      const ended = once(this.child, 'exit');
      this.child.ref();
      this.child.disconnect();
      await ended;
    }
  }

  private async call(method: RelayMethod, ...parameters: readonly unknown[]): Promise<void> {
    this.calls += 1;
    const call: RelayCall = { id: this.calls, method, parameters };
    await new Promise<void>((resolve, reject) => {
      this.waiting.set(call.id, { resolve, reject });
      this.child.channel?.ref();
      this.child.send(call, (error) => {
        if (error !== null) {
          this.end(error);
        }
      });
    });
  }

  private end(error: Error): void {
    for (const { reject } of this.waiting.values()) {
      reject(error);
    }
    this.waiting.clear();
  }

  private settle(reply: RelayReply): void {
    const waiting = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    if (this.waiting.size === 0) {
      this.child.channel?.unref();
    }
    if (reply.error === null) {
      waiting?.resolve();
    } else {
      waiting?.reject(asError(reply.error));
    }
  }
}

/** Errors lose their class between threads; their name says what they were. */
function asError({ name, message }: { readonly name: string; readonly message: string }): Error {
  return (errorNames as readonly string[]).includes(name)
    ? new RejoinError(name as ErrorName, message)
    : new Error(message);
}
