import { isDeepStrictEqual } from 'node:util';
import { RejoinError } from '../../core/errors';
import type { Json, JsonObject } from '../../core/json';
import type { Change, Condition, ItemKey, Registry, RegistryItem } from '../../core/ports/registry';

/** The registry of a simulated world: exact conditions, in memory. Passes test/contract/registry.ts. */
export class SimulatedRegistry implements Registry {
  private readonly items = new Map<string, RegistryItem>();

  async read(key: ItemKey): Promise<JsonObject | null> {
    const item = this.items.get(nameOf(key));
    return item === undefined ? null : structuredClone(item.value);
  }

  async list(pk: string, skPrefix: string): Promise<readonly RegistryItem[]> {
    return [...this.items.values()]
      .filter((item) => item.pk === pk && item.sk.startsWith(skPrefix))
      .sort((left, right) => Buffer.compare(Buffer.from(left.sk), Buffer.from(right.sk)))
      .map((item) => structuredClone(item));
  }

  async write(changes: readonly Change[]): Promise<void> {
    const names = new Set(changes.map((change) => nameOf(change.key)));
    if (changes.length < 1 || changes.length > 100 || names.size !== changes.length) {
      throw new RejoinError(
        'InvalidInput',
        `a registry write takes 1 to 100 changes of different items, got ${changes.length}`,
      );
    }
    for (const change of changes) {
      if (!holds(this.items.get(nameOf(change.key))?.value, change.when)) {
        throw new RejoinError(
          'ConditionFailed',
          `registry item '${nameOf(change.key)}' is not as expected (${JSON.stringify(change.when)})`,
        );
      }
    }
    for (const change of changes) {
      if (change.kind === 'put') {
        this.items.set(nameOf(change.key), { ...change.key, value: structuredClone(change.value) });
      } else if (change.kind === 'remove') {
        this.items.delete(nameOf(change.key));
      }
    }
  }
}

function nameOf(key: ItemKey): string {
  return `${key.pk} / ${key.sk}`;
}

function holds(value: JsonObject | undefined, when: Condition): boolean {
  if (when === 'absent') {
    return value === undefined;
  }
  if ('absentOrEquals' in when) {
    return value === undefined || equals(value, when.absentOrEquals);
  }
  return value !== undefined && equals(value, when.equals);
}

function equals(value: JsonObject, expected: JsonObject): boolean {
  return Object.entries(expected).every(([name, wanted]) => isDeepStrictEqual(plain(value[name]), plain(wanted)));
}

/** A clone comes from outside the test's own realm, where arrays have another prototype. */
function plain(value: Json | undefined): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
