import { isIPv4 } from 'node:net';
import type { DnsChange, DnsRecord } from '../../core/ports/surroundings';
import { RejoinError } from '../../core/errors';

/** One hosted zone at one moment. Never changed: a batch makes a new one. */
export interface Zone {
  /** Its name, without the last dot. */
  readonly origin: string;
  /** Grows with each batch. */
  readonly serial: number;
  readonly records: ReadonlyMap<string, DnsRecord>;
}

/** Route 53's own limits. */
const mostChanges = 1_000;
const longestTtlSeconds = 2 ** 31 - 1;

export function emptyZone(origin: string): Zone {
  return { origin: normalName(origin), serial: 1, records: new Map() };
}

/** Lower case, without the last dot: how names are compared. */
export function normalName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

export function recordAt(zone: Zone, name: string, type: DnsRecord['type']): DnsRecord | null {
  return zone.records.get(recordKey(name, type)) ?? null;
}

/** Whether the name is the zone's or below it. */
export function isInZone(zone: Zone, name: string): boolean {
  return normalName(name) === zone.origin || normalName(name).endsWith(`.${zone.origin}`);
}

/**
 * The zone after a batch, with Route 53's semantics: all changes or none, in their order; a create needs that there is no
 * such record, a delete that there is exactly this one.
 *
 * @throws InvalidInput when a change makes no sense anywhere; ConditionFailed when it does not fit what is there
 */
export function applyBatch(zone: Zone, changes: readonly DnsChange[]): Zone {
  if (changes.length === 0 || changes.length > mostChanges) {
    throw new RejoinError('InvalidInput', `a batch has 1 to ${mostChanges} changes, and this one ${changes.length}`);
  }
  const records = new Map(zone.records);
  for (const { action, record } of changes) {
    checkRecord(zone, record);
    const key = recordKey(record.name, record.type);
    const found = records.get(key);
    if (action === 'delete') {
      expectSame(found, record);
      records.delete(key);
      continue;
    }
    if (action === 'create' && found !== undefined) {
      throw new RejoinError('ConditionFailed', `${record.type} record '${record.name}' can't be created: it exists`);
    }
    records.set(key, { ...record, name: normalName(record.name) });
  }
  for (const { record } of changes) {
    expectAloneWithCname(records, normalName(record.name));
  }
  return { ...zone, serial: zone.serial + 1, records };
}

function checkRecord(zone: Zone, record: DnsRecord): void {
  const refuse = (why: string): RejoinError =>
    new RejoinError('InvalidInput', `${record.type} record '${record.name}': ${why}`);
  if (!isInZone(zone, record.name)) {
    throw refuse(`is not in zone '${zone.origin}'`);
  }
  if (
    record.name.length > 253 ||
    !normalName(record.name)
      .split('.')
      .every((label) => /^[a-z0-9_*-]{1,63}$/.test(label))
  ) {
    throw refuse('is no name; use labels of 1 to 63 of a-z, 0-9, - and _');
  }
  if (!Number.isInteger(record.ttlSeconds) || record.ttlSeconds < 0 || record.ttlSeconds > longestTtlSeconds) {
    throw refuse(`has ttlSeconds ${record.ttlSeconds}; use a whole number from 0 to ${longestTtlSeconds}`);
  }
  if (record.values.length === 0 || new Set(record.values).size !== record.values.length) {
    throw refuse('needs at least one value, and each only once');
  }
  if (record.type === 'A' && !record.values.every((value) => isIPv4(value))) {
    throw refuse(`has ${record.values.join(', ')}; its values are IPv4 addresses`);
  }
  if (record.type === 'CNAME' && (record.values.length > 1 || normalName(record.name) === zone.origin)) {
    throw refuse('has one value, and is not the zone itself');
  }
}

function expectSame(found: DnsRecord | undefined, record: DnsRecord): void {
  const values = (of: DnsRecord): string => JSON.stringify([...of.values].sort());
  if (found === undefined) {
    throw new RejoinError(
      'ConditionFailed',
      `${record.type} record '${record.name}' can't be deleted: it does not exist`,
    );
  }
  if (found.ttlSeconds !== record.ttlSeconds || values(found) !== values(record)) {
    throw new RejoinError(
      'ConditionFailed',
      `${record.type} record '${record.name}' can't be deleted: it is ${found.values.join(', ')} for ${found.ttlSeconds} s, not ${record.values.join(', ')} for ${record.ttlSeconds} s`,
    );
  }
}

function expectAloneWithCname(records: ReadonlyMap<string, DnsRecord>, name: string): void {
  const others = (['A', 'TXT'] as const).filter((type) => records.has(recordKey(name, type)));
  if (records.has(recordKey(name, 'CNAME')) && others.length > 0) {
    throw new RejoinError(
      'ConditionFailed',
      `'${name}' can't have a CNAME record beside its ${others.join(' and ')} record`,
    );
  }
}

function recordKey(name: string, type: DnsRecord['type']): string {
  return `${normalName(name)} ${type}`;
}
