import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { descendantsOf, readProcessTable } from '../processes/process-table';

/** Both ends of a TCP connection over IPv4, seen from the one that opened it. */
export interface ConnectionEnds {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/**
 * Whose process opened each connection. PostgreSQL can't bind the connections that it opens itself (replication) to an
 * address of its machine, so they come from 127.0.0.1; the system knows which process holds the other end.
 * It reads all open files of all members' processes, some milliseconds, so it is asked only while faults are on.
 */
export function ownersOf(
  connections: readonly ConnectionEnds[],
  roots: ReadonlyMap<string, readonly number[]>,
): readonly (string | null)[] {
  if (connections.length === 0) {
    return [];
  }
  const processes = readProcessTable();
  const members = [...roots].map(
    ([member, pids]) =>
      [member, pids.flatMap((pid) => [pid, ...descendantsOf(pid, processes).map((entry) => entry.pid)])] as const,
  );
  return process.platform === 'linux' ? linuxOwners(connections, members) : lsofOwners(connections, members);
}

type MemberProcesses = readonly (readonly [member: string, pids: readonly number[]])[];

function linuxOwners(connections: readonly ConnectionEnds[], members: MemberProcesses): readonly (string | null)[] {
  const inodes = new Map<string, string>();
  for (const line of readFileSync('/proc/net/tcp', 'latin1').split('\n').slice(1)) {
    const [, local, remote, , , , , , , inode] = line.trim().split(/\s+/);
    if (local !== undefined && remote !== undefined && inode !== undefined) {
      inodes.set(`${local} ${remote}`, inode);
    }
  }
  const wanted = connections.map((ends) =>
    inodes.get(`${hexEnd(ends.localAddress, ends.localPort)} ${hexEnd(ends.remoteAddress, ends.remotePort)}`),
  );
  const owners = new Map<string, string>();
  for (const [member, pids] of members) {
    for (const inode of pids.flatMap(socketInodes)) {
      owners.set(inode, member);
    }
  }
  return wanted.map((inode) => (inode === undefined ? null : (owners.get(inode) ?? null)));
}

function socketInodes(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((name) => socketInode(`/proc/${pid}/fd/${name}`));
  } catch {
    // It has ended.
    return [];
  }
}

function socketInode(path: string): readonly string[] {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.[1];
    return inode === undefined ? [] : [inode];
  } catch {
    // Closed meanwhile.
    return [];
  }
}

/** As /proc/net/tcp writes it: the address as a number in the byte order of the machine (little-endian), and the port. */
function hexEnd(address: string, port: number): string {
  const hex = (number: number, digits: number): string => number.toString(16).toUpperCase().padStart(digits, '0');
  const bytes = address.split('.').map((part) => hex(Number(part), 2));
  return `${bytes.reverse().join('')}:${hex(port, 4)}`;
}

function lsofOwners(connections: readonly ConnectionEnds[], members: MemberProcesses): readonly (string | null)[] {
  const owners = new Map(members.flatMap(([member, pids]) => pids.map((pid) => [pid, member] as const)));
  const holders = new Map<string, string>();
  let listed = '';
  try {
    listed = execFileSync('lsof', ['-nP', '-iTCP', '-a', '-p', [...owners.keys()].join(','), '-Fpn'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch (thrown) {
    // It ends with 1 also when one of many pids is gone; what it wrote counts.
    listed = (thrown as { stdout?: string }).stdout ?? '';
  }
  let holder: string | undefined;
  for (const line of listed.split('\n')) {
    if (line.startsWith('p')) {
      holder = owners.get(Number(line.slice(1)));
    } else if (line.startsWith('n') && holder !== undefined) {
      holders.set(line.slice(1), holder);
    }
  }
  return connections.map(
    (ends) => holders.get(`${ends.localAddress}:${ends.localPort}->${ends.remoteAddress}:${ends.remotePort}`) ?? null,
  );
}
