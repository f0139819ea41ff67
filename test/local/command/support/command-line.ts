import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { descendantsOf, readProcess, type ProcessEntry } from '../../../../local/processes/process-table';

const root = join(__dirname, '..', '..', '..', '..');

export interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** A folder in which the command line is used, with its own place for temporary files. */
export class Workplace {
  readonly folder = mkdtempSync(join(tmpdir(), 'rejoin-command-'));
  private readonly running: Command[] = [];

  constructor() {
    symlinkSync(join(root, 'node_modules'), join(this.folder, 'node_modules'));
    // Servers run as another user when we are root, and have to get there.
    chmodSync(this.folder, 0o711);
    mkdirSync(join(this.folder, 'tmp'), { mode: 0o711 });
  }

  /** Starts `rejoin …`, or another program of bin/. */
  start(argv: readonly string[], environment: Readonly<Record<string, string>> = {}, program = 'rejoin'): Command {
    const command = new Command(
      spawn(process.execPath, ['--import', 'tsx', join(root, 'bin', `${program}.ts`), ...argv], {
        cwd: this.folder,
        env: { PATH: process.env['PATH'] ?? '', TMPDIR: join(this.folder, 'tmp'), ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
    this.running.push(command);
    return command;
  }

  /** Kills what still runs and removes everything. */
  async remove(): Promise<void> {
    for (const command of this.running) {
      command.signal('SIGKILL');
      await command.ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** One use of the command line. */
export class Command {
  readonly ended: Promise<Ended>;
  private output = '';
  private errors = '';
  private readonly waiting = new Set<() => void>();

  constructor(private readonly child: ChildProcess) {
    child.stdout?.on('data', (bytes: Buffer) => {
      this.output += bytes.toString();
      this.tell();
    });
    child.stderr?.on('data', (bytes: Buffer) => {
      this.errors += bytes.toString();
      this.tell();
    });
    this.ended = new Promise((resolve) => {
      child.once('close', (code) => {
        resolve({ code, output: this.output, errors: this.errors });
        this.tell();
      });
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Resolves once it has said that. @throws Error with all that it said when it ends before */
  async says(words: string): Promise<void> {
    while (!this.output.includes(words) && !this.errors.includes(words)) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(`it never said '${words}', but: ${this.output}${this.errors}`);
      }
      await new Promise<void>((resolve) => this.waiting.add(resolve));
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** All that it has started and that runs now. */
  get processes(): readonly ProcessEntry[] {
    return descendantsOf(this.pid).filter(({ ended }) => !ended);
  }

  private tell(): void {
    for (const resolve of this.waiting) {
      resolve();
    }
    this.waiting.clear();
  }
}

/** Those that still run. */
export function living(processes: readonly ProcessEntry[]): readonly ProcessEntry[] {
  return processes.filter(({ pid, startedAt }) => {
    const now = readProcess(pid);
    return now?.startedAt === startedAt && !now.ended;
  });
}
