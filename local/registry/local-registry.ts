import { RejoinError } from '../../core/errors';
import type { JsonObject } from '../../core/json';
import type { Clock } from '../../core/ports/clock';
import type { Change, ItemKey, Registry, RegistryItem } from '../../core/ports/registry';
import { describe } from '../../core/registry/condition-text';
import { checkKey, checkLimits, nameOf } from '../../core/registry/limits';
import { holds } from './condition';
import { Journal, type JournalEntry } from './journal';
import { RegistryFaults } from './registry-faults';

interface StoredItem {
  readonly sk: string;
  /** As JSON text: what is read is a copy each time. */
  readonly text: string;
  readonly expiresAtMs: number | null;
}

/** How often items that have expired are looked for. DynamoDB gets to it within two days. */
const sweepEveryMs = 60_000;

/**
 * The registry in memory, with DynamoDB's semantics: writes of up to 100 items happen wholly or not at all, each on its
 * condition, and every read sees every earlier write. One process holds it; others reach it through that one.
 */
export class LocalRegistry implements Registry {
  readonly faults = new RegistryFaults();
  private readonly clock: Clock;
  private readonly journal: Journal | null;
  private readonly partitions = new Map<string, Map<string, StoredItem>>();
  private sweptAtMs: number;

  /** @param folder where its writes are kept and found again; null: nowhere */
  constructor(clock: Clock, folder: string | null) {
    this.clock = clock;
    this.sweptAtMs = clock.nowMs();
    this.journal = folder === null ? null : new Journal(folder);
    for (const entry of this.journal?.replay() ?? []) {
      this.apply(entry);
    }
  }

  async read(key: ItemKey): Promise<JsonObject | null> {
    await this.faults.before(this.clock);
    checkKey(key);
    return this.stored(key);
  }

  async list(pk: string, skPrefix: string): Promise<readonly RegistryItem[]> {
    await this.faults.before(this.clock);
    const items = [...(this.partitions.get(pk)?.values() ?? [])].filter(({ sk }) => sk.startsWith(skPrefix));
    return items
      .map(({ sk, text }) => ({ pk, sk, value: JSON.parse(text) as JsonObject }))
      .sort((left, right) => Buffer.compare(Buffer.from(left.sk), Buffer.from(right.sk)));
  }

  async write(changes: readonly Change[]): Promise<void> {
    await this.faults.before(this.clock);
    checkLimits(changes);
    // From here to the end nothing is awaited: that is what makes it one transaction.
    const failed = changes.filter((change) => !holds(change.when, this.stored(change.key)));
    if (failed.length > 0) {
      throw new RejoinError(
        'ConditionFailed',
        failed.map(({ key, when }) => `item ${nameOf(key)} is not as expected: ${describe(when)}`).join('; '),
      );
    }
    const entry = this.entryOf(changes);
    if (entry.changes.length > 0) {
      this.journal?.append(entry);
      this.apply(entry);
    }
    this.sweep();
    this.faults.afterWrite();
  }

  /** Every item, for who looks at a run. */
  all(): readonly RegistryItem[] {
    return [...this.partitions].flatMap(([pk, items]) =>
      [...items.values()].map(({ sk, text }) => ({ pk, sk, value: JSON.parse(text) as JsonObject })),
    );
  }

  close(): void {
    this.journal?.close();
  }

  private stored(key: ItemKey): JsonObject | null {
    const item = this.partitions.get(key.pk)?.get(key.sk);
    return item === undefined ? null : (JSON.parse(item.text) as JsonObject);
  }

  private entryOf(changes: readonly Change[]): JournalEntry {
    return {
      atMs: this.clock.nowMs(),
      changes: changes.flatMap((change): JournalEntry['changes'] => {
        switch (change.kind) {
          case 'put':
            return [{ ...change.key, value: change.value, expiresAtMs: change.expiresAtMs ?? null }];
          case 'remove':
            return [{ ...change.key, value: null, expiresAtMs: null }];
          case 'check':
            return [];
        }
      }),
    };
  }

  private apply(entry: JournalEntry): void {
    for (const { pk, sk, value, expiresAtMs } of entry.changes) {
      const partition = this.partitions.get(pk) ?? new Map<string, StoredItem>();
      this.partitions.set(pk, partition);
      if (value === null) {
        partition.delete(sk);
      } else {
        partition.set(sk, { sk, text: JSON.stringify(value), expiresAtMs });
      }
    }
  }

  private sweep(): void {
    const nowMs = this.clock.nowMs();
    if (nowMs < this.sweptAtMs + sweepEveryMs) {
      return;
    }
    this.sweptAtMs = nowMs;
    const changes = [...this.partitions].flatMap(([pk, items]) =>
      [...items.values()]
        .filter(({ expiresAtMs }) => expiresAtMs !== null && expiresAtMs <= nowMs)
        .map(({ sk }) => ({ pk, sk, value: null, expiresAtMs: null })),
    );
    if (changes.length > 0) {
      const entry = { atMs: nowMs, changes };
      this.journal?.append(entry);
      this.apply(entry);
    }
  }
}
