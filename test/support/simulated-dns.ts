import { isDeepStrictEqual } from 'node:util';
import { RejoinError } from '../../core/errors';
import type { Clock } from '../../core/ports/clock';
import type { Dns, DnsChange, DnsRecord } from '../../core/ports/surroundings';

/** A zone of a simulated world. Passes test/contract/dns.ts. */
export class SimulatedDns implements Dns {
  private records = new Map<string, DnsRecord>();
  private readonly changes = new Map<string, number>();

  constructor(
    private readonly clock: Clock,
    private readonly spreadMs: number,
  ) {}

  async change(changes: readonly DnsChange[]): Promise<{ readonly changeId: string }> {
    const next = new Map(this.records);
    for (const { action, record } of changes) {
      const key = keyOf(record.name, record.type);
      const there = next.get(key);
      if (action === 'create' && there !== undefined) {
        throw new RejoinError('ConditionFailed', `there is a record ${key} already`);
      }
      if (action === 'delete' && !same(there, record)) {
        throw new RejoinError('ConditionFailed', `there is no such record ${key}`);
      }
      if (action === 'delete') {
        next.delete(key);
      } else {
        next.set(key, record);
      }
    }
    const aliases = [...next.values()].filter((record) => record.type === 'CNAME');
    const crowded = aliases.find((alias) =>
      [...next.values()].some((record) => record !== alias && record.name === alias.name),
    );
    if (crowded !== undefined) {
      throw new RejoinError('ConditionFailed', `an alias ${crowded.name} can't stand beside another record`);
    }
    this.records = next;
    const changeId = `change-${this.changes.size + 1}`;
    this.changes.set(changeId, this.clock.nowMs() + this.spreadMs);
    return { changeId };
  }

  async changeState(changeId: string): Promise<'pending' | 'in sync'> {
    const atMs = this.changes.get(changeId);
    if (atMs === undefined) {
      throw new RejoinError('NotFound', `there was no change '${changeId}'`);
    }
    return this.clock.nowMs() < atMs ? 'pending' : 'in sync';
  }

  async read(name: string, type: DnsRecord['type']): Promise<DnsRecord | null> {
    return this.records.get(keyOf(name, type)) ?? null;
  }

  /** The address that a name leads to; the name itself where it has no record. */
  resolve(name: string): string {
    const record = this.records.get(keyOf(name, 'A')) ?? this.records.get(keyOf(name, 'CNAME'));
    return record?.values[0] ?? name;
  }
}

function keyOf(name: string, type: DnsRecord['type']): string {
  return `${type} ${name}`;
}

function same(left: DnsRecord | undefined, right: DnsRecord): boolean {
  const sorted = (record: DnsRecord) => ({ ...record, values: [...record.values].sort() });
  return left !== undefined && isDeepStrictEqual(sorted(left), sorted(right));
}
