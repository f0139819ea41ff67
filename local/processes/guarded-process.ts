import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { RejoinError } from '../../core/errors';
import { descendantsOf, readProcess, type ProcessEntry } from './process-table';

/**
 * Runs "$@" as the leader of its own process group. A watcher in the same group, no child of it, holds the read end of a
 * pipe (file descriptor 3) whose other end only our process has: when we end, by whatever means, `read` returns, and the
 * watcher ends the group. SIGQUIT first: a PostgreSQL server then ends its own children, which have left the group.
 * It signals the group only, never a pid: a group's number is not used again while the watcher itself is in it.
 */
const guardScript = `
( ( trap '' QUIT
    read -r _ <&3
    kill -s QUIT 0; kill -s CONT 0
    sleep 7
    kill -s KILL 0 ) >/dev/null 2>&1 & )
exec 3<&-
exec "$@"
`;

const leaderLimitMs = 1_000;
const goneCheckMs = 5;
/** A killed process that is still there after this long waits for a disk; it can't be helped from here. */
const goneLimitMs = 20_000;

export interface GuardedCommand {
  readonly argv: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  /** Its standard output and error are appended here. */
  readonly logFile: string;
  /** Null: the same user as ours. */
  readonly user: { readonly uid: number; readonly gid: number } | null;
}

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process, with all that it starts, that ends when we end, even by SIGKILL. */
export class GuardedProcess {
  /** Resolves when the process itself has ended; its descendants may live on for a moment. */
  readonly ended: Promise<ProcessEnd>;
  private end: ProcessEnd | null = null;

  private constructor(
    private readonly child: ChildProcess,
    readonly pid: number,
    /** With the pid, names this process for ever. */
    readonly startedAt: string,
  ) {
    this.ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.end = { code, signal };
        // Ends the watcher before its pipe closes: then it has nothing left to do.
        signalGroup(pid, 'SIGKILL');
        child.stdio[3]?.destroy();
        resolve(this.end);
      });
    });
  }

  /** @throws NotFound when the program can't be run */
  static async start(command: GuardedCommand): Promise<GuardedProcess> {
    const log = openSync(command.logFile, 'a');
    try {
      const child = spawn('/bin/sh', ['-c', guardScript, 'sh', ...command.argv], {
        cwd: command.workingDirectory,
        env: command.environment,
        detached: true,
        stdio: ['ignore', log, log, 'pipe'],
        ...(command.user ?? {}),
      });
      const pid = await new Promise<number>((resolve, reject) => {
        child.once('spawn', () => {
          resolve(child.pid ?? 0);
        });
        child.once('error', reject);
      });
      const entry = readProcess(pid);
      return new GuardedProcess(child, pid, entry?.startedAt ?? '');
    } catch (thrown) {
      throw new RejoinError('NotFound', `'${command.argv[0]}' can't be run in ${command.workingDirectory}`, {
        cause: thrown,
      });
    } finally {
      closeSync(log);
    }
  }

  /** Null while it runs. */
  get exit(): ProcessEnd | null {
    return this.end;
  }

  /** Sends a signal to the process itself. */
  signal(signal: NodeJS.Signals): void {
    if (this.end === null) {
      this.child.kill(signal);
    }
  }

  /** Stops the process and all that it started in the middle of what they do. */
  pause(): void {
    if (this.end === null) {
      freeze(this.pid);
    }
  }

  resume(): void {
    if (this.end === null) {
      for (const entry of descendantsOf(this.pid)) {
        signalProcess(entry.pid, 'SIGCONT');
      }
      signalProcess(this.pid, 'SIGCONT');
    }
  }

  /**
   * Ends the process and all that it started by SIGKILL; resolves when none of them is left.
   *
   * `leaderEndsBy`: a signal at which the process itself, alone by then, only buries its dead and leaves. Without it they
   * stay zombies where process 1 buries nobody, as in many containers.
   */
  async kill(leaderEndsBy: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.end !== null) {
      return;
    }
    const members = freeze(this.pid);
    for (const member of members) {
      signalProcess(member.pid, 'SIGKILL');
    }
    this.signal(leaderEndsBy);
    this.signal('SIGCONT');
    const tooLate = setTimeout(() => {
      this.signal('SIGKILL');
    }, leaderLimitMs);
    await this.ended;
    clearTimeout(tooLate);
    await gone(members);
  }
}

/**
 * Ends a process and all that it started by SIGKILL, if it is still the one that began at `startedAt`; resolves when none
 * of them is left.
 */
export async function killTree(pid: number, startedAt: string): Promise<void> {
  const root = readProcess(pid);
  if (root?.startedAt !== startedAt) {
    return;
  }
  const members = [root, ...freeze(pid)];
  for (const member of members) {
    signalProcess(member.pid, 'SIGKILL');
  }
  signalGroup(pid, 'SIGKILL');
  await gone(members);
}

/** Stops a process and its descendants, first the root: what is stopped starts nothing new. */
function freeze(pid: number): readonly ProcessEntry[] {
  const stopped = new Map<number, ProcessEntry>();
  signalProcess(pid, 'SIGSTOP');
  for (let found = true; found;) {
    found = false;
    for (const entry of descendantsOf(pid)) {
      if (!stopped.has(entry.pid)) {
        stopped.set(entry.pid, entry);
        signalProcess(entry.pid, 'SIGSTOP');
        found = true;
      }
    }
  }
  return [...stopped.values()];
}

async function gone(members: readonly ProcessEntry[]): Promise<void> {
  const lives = (member: ProcessEntry): boolean => {
    const now = readProcess(member.pid);
    return now !== null && !now.ended && now.startedAt === member.startedAt;
  };
  const givesUpAt = performance.now() + goneLimitMs;
  for (let left = members.filter(lives); left.length > 0; left = left.filter(lives)) {
    if (performance.now() > givesUpAt) {
      throw new RejoinError(
        'ApiRefused',
        `killed processes ${left.map(({ pid }) => pid).join(', ')} do not end; see 'ps -o pid,state,wchan' for what they wait for`,
      );
    }
    await delay(goneCheckMs);
  }
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (thrown) {
    throwUnlessGone(thrown);
  }
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  signalProcess(-pid, signal);
}

function throwUnlessGone(thrown: unknown): void {
  // EPERM is what macOS says of a group of which only zombies are left.
  const code = (thrown as NodeJS.ErrnoException).code;
  if (code !== 'ESRCH' && code !== 'EPERM') {
    throw thrown;
  }
}
