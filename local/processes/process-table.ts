import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessEntry {
  readonly pid: number;
  readonly parentPid: number;
  /** When it began: with the pid it names one process for ever, because a pid is used again but not at that moment. */
  readonly startedAt: string;
  /** Whether it has ended and only its parent has not noticed yet. */
  readonly ended: boolean;
}

/** Every process that can be seen, by pid. Linux: /proc, because small images have no `ps`; elsewhere `ps`. */
export function readProcessTable(): ReadonlyMap<number, ProcessEntry> {
  return process.platform === 'linux' ? linuxTable() : psTable();
}

/** One process, or null when there is none of that pid. */
export function readProcess(pid: number): ProcessEntry | null {
  return process.platform === 'linux' ? linuxEntry(pid) : (psTable().get(pid) ?? null);
}

/**
 * The processes that `rootPid` started, and those that they started, in no order; without the root.
 *
 * @param processes among which they are looked for. @default those of this moment
 */
export function descendantsOf(
  rootPid: number,
  processes: ReadonlyMap<number, ProcessEntry> = readProcessTable(),
): readonly ProcessEntry[] {
  const children = new Map<number, ProcessEntry[]>();
  for (const entry of processes.values()) {
    children.set(entry.parentPid, [...(children.get(entry.parentPid) ?? []), entry]);
  }
  const found: ProcessEntry[] = [];
  const open = [rootPid];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    for (const child of children.get(pid) ?? []) {
      found.push(child);
      open.push(child.pid);
    }
  }
  return found;
}

function linuxTable(): Map<number, ProcessEntry> {
  const table = new Map<number, ProcessEntry>();
  for (const name of readdirSync('/proc')) {
    const entry = /^\d+$/.test(name) ? linuxEntry(Number(name)) : null;
    if (entry !== null) {
      table.set(entry.pid, entry);
    }
  }
  return table;
}

function linuxEntry(pid: number): ProcessEntry | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return null;
  }
  // The name, in parentheses, may hold anything; after its last ')' come the state, the parent, …, and the start (field 22).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, parent, start] = [fields[0], fields[1], fields[19]];
  if (state === undefined || parent === undefined || start === undefined) {
    return null;
  }
  return { pid, parentPid: Number(parent), startedAt: start, ended: state === 'Z' || state === 'X' };
}

function psTable(): Map<number, ProcessEntry> {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,state=,lstart='], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  }).split('\n');
  const table = new Map<number, ProcessEntry>();
  for (const line of lines) {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.+?)\s*$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined && match[3] !== undefined && match[4] !== undefined) {
      table.set(Number(match[1]), {
        pid: Number(match[1]),
        parentPid: Number(match[2]),
        startedAt: match[4],
        ended: match[3].startsWith('Z'),
      });
    }
  }
  return table;
}
