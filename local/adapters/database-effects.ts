import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { MethodEffect } from '../control/remote-ports';

/** The calls to a database that change nothing. */
const reads: ReadonlySet<string> = new Set<keyof DatabaseEngine>([
  'probe',
  'position',
  'holdings',
  'preflight',
  'describe',
  'indexProgress',
  'shards',
  'synchronousFollowers',
  'slot',
  'retention',
  'peek',
  'planRanges',
  'readRange',
  'appliedTo',
  'checksum',
  'digests',
  'rowDigests',
  'checkRows',
  'followerState',
  'streamingFollowers',
  'confirmedPositions',
  'standbyState',
]);

/** Whether a call to a database changes something: a fault may kill a step at its n-th such call. */
export function databaseEffect(method: string): MethodEffect {
  return reads.has(method) ? 'reads' : 'changes';
}
