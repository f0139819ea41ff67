import type { RowRange } from '../cluster/manifest';
import type { Clock } from '../ports/clock';
import type { LogPosition } from '../cluster/position';
import type { DatabaseAddress, DatabaseEngine, KeyDigest } from '../ports/database-engine';
import { judgeRow, maxRetries, proofDistanceMs, type RowLook, type RowSeen } from './row-verdict';

/** Two servers that hold the same rows. */
export interface ComparedSides {
  readonly shard: string;
  readonly source: DatabaseAddress;
  readonly target: DatabaseAddress;
}

export interface ComparePorts {
  readonly databases: Pick<DatabaseEngine, 'writeMarker' | 'checksum' | 'digests' | 'rowDigests'>;
  readonly clock: Clock;
  /** Brings the target to where the source's log was, or waits until it is there. False: `mayGoOn` said no before that. */
  readonly letFollow: (to: LogPosition, mayGoOn: () => boolean) => Promise<boolean>;
}

/** A range as its first comparison found it. */
export interface ComparedRange {
  readonly range: RowRange;
  /** Rows that the source had. */
  readonly rows: number;
  /** Keys whose rows differed. Empty: the range is in sync. */
  readonly suspects: readonly (readonly string[])[];
}

/** A range whose rows are judged one by one. */
export interface JudgedRange extends ComparedRange {
  /** Keys whose rows differ, or could not be proved equal. */
  readonly unequal: readonly (readonly string[])[];
  /** How many of them are not proved either way. */
  readonly unproved: number;
}

/**
 * So many keys of one range are looked at one by one. Where more differ, changes under way don't explain it: something was
 * missed, and all of them are repaired, which does no harm to a row that was right.
 */
const maxProvedKeys = 256;

/**
 * Compares a range by content while both sides change (rule 12).
 *
 * Read the source, note where its log is, let the target get there, read the target. Where the target is filled by rows, it
 * moves because this very call applies the shard's changes: nobody else does while a shard is compared, so neither a lock
 * nor a running pass has to be agreed on, and a wait is as short as the log is. Shards are compared beside each other, the
 * ranges of one after each other.
 *
 * @returns null when `mayGoOn` said no before both sides were read; nothing is lost but the reading
 */
export async function compareRange(
  ports: ComparePorts,
  sides: ComparedSides,
  range: RowRange,
  mayGoOn: () => boolean,
): Promise<ComparedRange | null> {
  const { databases } = ports;
  const before = await databases.checksum(sides.source, range);
  if (!(await letTargetFollow(ports, sides, mayGoOn))) {
    return null;
  }
  const after = await databases.checksum(sides.target, range);
  if (before.rows === after.rows && before.high === after.high && before.low === after.low) {
    return { range, rows: before.rows, suspects: [] };
  }
  const wanted = await databases.digests(sides.source, range);
  if (!(await letTargetFollow(ports, sides, mayGoOn))) {
    return null;
  }
  return { range, rows: wanted.length, suspects: differingKeys(wanted, await databases.digests(sides.target, range)) };
}

/**
 * A slot is read from the log on disk. The marker's commit brings there whatever a session could see before it, also commits
 * that did not wait for the disk.
 */
async function letTargetFollow(ports: ComparePorts, sides: ComparedSides, mayGoOn: () => boolean): Promise<boolean> {
  return ports.letFollow(await ports.databases.writeMarker(sides.source, sides.shard), mayGoOn);
}

/** The keys that only one side has, or whose rows differ. */
export function differingKeys(
  source: readonly KeyDigest[],
  target: readonly KeyDigest[],
): readonly (readonly string[])[] {
  const there = new Map(target.map((digest) => [JSON.stringify(digest.key), digest]));
  const differing: (readonly string[])[] = [];
  for (const { key, md5 } of source) {
    const name = JSON.stringify(key);
    if (there.get(name)?.md5 !== md5) {
      differing.push(key);
    }
    there.delete(name);
  }
  return [...differing, ...[...there.values()].map((digest) => digest.key)];
}

/** One row that differed, and what was seen of it since. */
interface Suspect {
  readonly of: ComparedRange;
  readonly key: readonly string[];
  readonly looks: RowLook[];
}

/**
 * Judges the rows that differed in some ranges, all of them around the same waits: looks at each until it is equal, really
 * different, or looked at often enough.
 *
 * @returns null when `mayGoOn` said no before every row was judged
 */
export async function judgeRanges(
  ports: ComparePorts,
  sides: ComparedSides,
  compared: readonly ComparedRange[],
  mayGoOn: () => boolean,
): Promise<readonly JudgedRange[] | null> {
  const unequal = new Map<ComparedRange, (readonly string[])[]>();
  const unproved = new Map<ComparedRange, number>();
  const note = ({ of, key }: Pick<Suspect, 'of' | 'key'>, verdict: 'different' | 'unproved'): void => {
    unequal.set(of, [...(unequal.get(of) ?? []), key]);
    unproved.set(of, (unproved.get(of) ?? 0) + (verdict === 'unproved' ? 1 : 0));
  };
  for (const of of compared.filter(({ suspects }) => suspects.length > maxProvedKeys)) {
    unequal.set(of, [...of.suspects]);
    unproved.set(of, of.suspects.length);
  }
  let open = compared
    .filter(({ suspects }) => suspects.length <= maxProvedKeys)
    .flatMap((of) => of.suspects.map((key): Suspect => ({ of, key, looks: [] })));
  for (let attempt = 0; open.length > 0; attempt += 1) {
    const startedMs = ports.clock.nowMs();
    if (!(await lookAt(ports, sides, open, mayGoOn))) {
      return null;
    }
    const judged = open.map((suspect) => ({ suspect, verdict: judgeRow(suspect.looks) }));
    for (const { suspect, verdict } of judged) {
      if (verdict === 'different' || verdict === 'unproved') {
        note(suspect, verdict);
      }
    }
    open = judged.filter(({ verdict }) => verdict === 'open').map(({ suspect }) => suspect);
    if (open.length > 0 && attempt < maxRetries) {
      // A difference is proved by two looks this far apart; what only needs time may have it.
      await ports.clock.sleep(Math.max(0, startedMs + proofDistanceMs - ports.clock.nowMs()));
    }
  }
  return compared.map((of) => ({ ...of, unequal: unequal.get(of) ?? [], unproved: unproved.get(of) ?? 0 }));
}

/** One look at each row, all of them around the same wait. @returns whether there was time for it */
async function lookAt(
  ports: ComparePorts,
  sides: ComparedSides,
  suspects: readonly Suspect[],
  mayGoOn: () => boolean,
): Promise<boolean> {
  const read = (side: 'source' | 'target'): Promise<ReadonlyMap<Suspect, RowSeen>> =>
    readRows(ports, sides[side], suspects);
  const before = await read('source');
  if (!(await letTargetFollow(ports, sides, mayGoOn))) {
    return false;
  }
  const target = await read('target');
  const after = await read('source');
  const atMs = ports.clock.nowMs();
  for (const suspect of suspects) {
    suspect.looks.push({
      atMs,
      before: before.get(suspect) ?? null,
      target: target.get(suspect) ?? null,
      after: after.get(suspect) ?? null,
    });
  }
  return true;
}

/** One question a range, whatever the number of its rows: after a gap in the log there are hundreds. */
async function readRows(
  ports: ComparePorts,
  address: DatabaseAddress,
  suspects: readonly Suspect[],
): Promise<ReadonlyMap<Suspect, RowSeen>> {
  const found = new Map<Suspect, RowSeen>();
  for (const of of new Set(suspects.map((suspect) => suspect.of))) {
    const asked = suspects.filter((suspect) => suspect.of === of);
    const rows = await ports.databases.rowDigests(address, { range: of.range, keys: asked.map(({ key }) => key) });
    asked.forEach((suspect, place) => found.set(suspect, rows[place] ?? null));
  }
  return found;
}
