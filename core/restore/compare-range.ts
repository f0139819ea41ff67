import type { RowRange } from '../cluster/manifest';
import type { Clock } from '../ports/clock';
import type { DatabaseEngine, KeyDigest } from '../ports/database-engine';
import { catchUp, type CatchUpDatabases, type ShardRoute } from './catch-up';
import { judgeRow, maxRetries, proofDistanceMs, type RowLook, type RowSeen } from './row-verdict';

export interface ComparePorts {
  readonly databases: CatchUpDatabases & Pick<DatabaseEngine, 'checksum' | 'digests' | 'rowDigest'>;
  readonly clock: Clock;
}

export interface RangeComparison {
  /** Rows that the source had. */
  readonly rows: number;
  /** Keys whose rows differ, or could not be proved equal. Empty: the range is in sync. */
  readonly unequal: readonly (readonly string[])[];
  /** How many of them are not proved either way. */
  readonly unproved: number;
}

/**
 * So many keys of one range are looked at one by one. Where more differ, changes under way don't explain it: something was
 * missed, and all of them are repaired, which does no harm to a row that was right.
 */
const maxProvedKeys = 256;
/** Rows looked at at once. */
const concurrency = 4;

/**
 * Compares a range by content while both sides change (rule 12).
 *
 * Read the source, note where its log is, let the target get there, read the target. The target moves because this very
 * call applies the shard's changes: nobody else does while a shard is compared, so neither a lock nor a running pass has
 * to be agreed on, and a wait is as short as the log is. Shards are compared beside each other, the ranges of one after
 * each other.
 *
 * @returns null when `mayGoOn` said no before the range was decided; nothing is lost but the reading
 */
export async function compareRange(
  ports: ComparePorts,
  route: ShardRoute,
  range: RowRange,
  mayGoOn: () => boolean,
): Promise<RangeComparison | null> {
  const { databases } = ports;
  const before = await databases.checksum(route.source, range);
  if (!(await letTargetFollow(ports, route, mayGoOn))) {
    return null;
  }
  const after = await databases.checksum(route.target, range);
  if (before.rows === after.rows && before.high === after.high && before.low === after.low) {
    return { rows: before.rows, unequal: [], unproved: 0 };
  }
  const wanted = await databases.digests(route.source, range);
  if (!(await letTargetFollow(ports, route, mayGoOn))) {
    return null;
  }
  const keys = differingKeys(wanted, await databases.digests(route.target, range));
  if (keys.length > maxProvedKeys) {
    return { rows: wanted.length, unequal: keys, unproved: keys.length };
  }
  const verdicts = await judgeKeys(ports, route, { range, keys }, mayGoOn);
  return verdicts === null ? null : { rows: wanted.length, ...verdicts };
}

async function letTargetFollow(ports: ComparePorts, route: ShardRoute, mayGoOn: () => boolean): Promise<boolean> {
  const to = await ports.databases.position(route.source);
  const { reached } = await catchUp(ports.databases, route, to, mayGoOn);
  return reached;
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

/** Looks at keys until each is equal, really different, or looked at often enough. */
async function judgeKeys(
  ports: ComparePorts,
  route: ShardRoute,
  suspects: { readonly range: RowRange; readonly keys: readonly (readonly string[])[] },
  mayGoOn: () => boolean,
): Promise<Pick<RangeComparison, 'unequal' | 'unproved'> | null> {
  const different: (readonly string[])[] = [];
  const unproved: (readonly string[])[] = [];
  let open = suspects.keys.map((key) => ({ key, looks: [] as RowLook[] }));
  for (let attempt = 0; open.length > 0 && attempt <= maxRetries; attempt += 1) {
    const startedMs = ports.clock.nowMs();
    const looks = await lookAt(ports, route, { range: suspects.range, keys: open.map(({ key }) => key) }, mayGoOn);
    if (looks === null) {
      return null;
    }
    open.forEach((suspect, index) => suspect.looks.push(...looks.slice(index, index + 1)));
    const judged = open.map((suspect) => ({ ...suspect, verdict: judgeRow(suspect.looks) }));
    different.push(...judged.filter(({ verdict }) => verdict === 'different').map(({ key }) => key));
    unproved.push(...judged.filter(({ verdict }) => verdict === 'unproved').map(({ key }) => key));
    open = judged.filter(({ verdict }) => verdict === 'open');
    if (open.length > 0 && attempt < maxRetries) {
      // A difference is proved by two looks this far apart; what only needs time may have it.
      await ports.clock.sleep(Math.max(0, startedMs + proofDistanceMs - ports.clock.nowMs()));
    }
  }
  unproved.push(...open.map(({ key }) => key));
  return { unequal: [...different, ...unproved], unproved: unproved.length };
}

/** One look at each key, all of them around the same wait. */
async function lookAt(
  ports: ComparePorts,
  route: ShardRoute,
  suspects: { readonly range: RowRange; readonly keys: readonly (readonly string[])[] },
  mayGoOn: () => boolean,
): Promise<readonly RowLook[] | null> {
  const { range, keys } = suspects;
  const read = (side: 'source' | 'target'): Promise<readonly RowSeen[]> =>
    eachOf(keys, (key) => ports.databases.rowDigest(route[side], { range, key }));
  const before = await read('source');
  if (!(await letTargetFollow(ports, route, mayGoOn))) {
    return null;
  }
  const target = await read('target');
  const after = await read('source');
  const atMs = ports.clock.nowMs();
  return keys.map((_key, index) => ({
    atMs,
    before: before[index] ?? null,
    target: target[index] ?? null,
    after: after[index] ?? null,
  }));
}

async function eachOf<T, R>(things: readonly T[], work: (thing: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  for (let from = 0; from < things.length; from += concurrency) {
    results.push(...(await Promise.all(things.slice(from, from + concurrency).map(work))));
  }
  return results;
}
