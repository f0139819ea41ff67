import { type ChildProcess, fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RejoinError } from '../../core/errors';
import type { Answer } from './figures';
import type { RowName, RowRecord } from './ledger';

/** A load on the shop: every customer has an id, and follows from it. */
export interface ShopLoad {
  readonly kind: 'shop';
  readonly shardCount: number;
  readonly customers: number;
  readonly lanesPerShard: number;
}

/** A load on the tables of one shard, of which only the catalogs tell. */
export interface TablesLoad {
  readonly kind: 'tables';
  readonly shard: number;
  readonly schemas: readonly string[];
  readonly lanes: number;
}

/** What the load generator is told. */
export interface LoadOrder {
  readonly controlUrl: string;
  readonly controlToken: string;
  readonly dnsServer: { readonly host: string; readonly port: number };
  readonly zone: string;
  /** The address that its connections come from. */
  readonly localAddress: string;
  readonly cluster: string;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  readonly data: ShopLoad | TablesLoad;
  readonly requestsPerSecond: number;
  readonly seed: number;
  readonly reportFile: string;
}

/** What the load generator was told by the databases. */
export interface LoadReport {
  readonly answers: readonly Answer[];
  readonly failed: number;
  readonly failures: readonly (readonly [reason: string, count: number])[];
  /** Writes that the data doesn't allow: constraints, triggers, rights. They are no failures. */
  readonly refused: number;
  readonly refusals: readonly (readonly [reason: string, count: number])[];
  /** What the load leaves alone, and why. */
  readonly notes: readonly string[];
  readonly records: readonly (readonly [row: RowName, record: RowRecord])[];
}

export interface LoadProgress {
  readonly acknowledged: number;
  readonly failed: number;
}

/** The load generator, in a process of its own, so that what it measures is not what the rest of the rehearsal costs. */
export class LoadProcess {
  progress: LoadProgress = { acknowledged: 0, failed: 0 };

  private constructor(
    private readonly child: ChildProcess,
    private readonly order: LoadOrder,
    private readonly ended: Promise<number | null>,
  ) {
    child.on('message', (message: LoadProgress) => {
      this.progress = message;
    });
  }

  /** Resolves once the load runs. It is killed as soon as `stop` is aborted, however far it is. */
  static async start(order: LoadOrder, stop: AbortSignal): Promise<LoadProcess> {
    const child = fork(join(__dirname, 'main.ts'), [], {
      execArgv: ['--import', 'tsx'],
      env: { PATH: process.env['PATH'] ?? '', REJOIN_LOAD: JSON.stringify(order) },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      signal: stop,
      killSignal: 'SIGKILL',
    });
    // That it was aborted; its exit tells.
    child.once('error', () => undefined);
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    const load = new LoadProcess(child, order, ended);
    const begun = await Promise.race([
      new Promise((resolve) => child.once('message', resolve)),
      ended.then(() => null),
    ]);
    if (begun === null) {
      throw new RejoinError('ApiRefused', 'the load generator ended before it began; its message is above');
    }
    return load;
  }

  /** Lets every request be answered, then gives the report. */
  async stop(): Promise<LoadReport> {
    if (this.child.connected) {
      this.child.send('stop');
    }
    const code = await this.ended;
    if (code !== 0) {
      throw new RejoinError('ApiRefused', `the load generator ended with exit code ${code ?? 'none'}`);
    }
    return JSON.parse(await readFile(this.order.reportFile, 'utf8')) as LoadReport;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}
