import type { JsonObject } from '../json';

/** Where an item stands: `CLUSTER#orders` / `SHARD#shard_0007`. */
export interface ItemKey {
  readonly pk: string;
  readonly sk: string;
}

export interface RegistryItem extends ItemKey {
  readonly value: JsonObject;
}

/** What must hold for a write to happen. `equals` compares top-level attributes of the stored item; `{}` means it exists. */
export type Condition = 'absent' | { readonly equals: JsonObject } | { readonly absentOrEquals: JsonObject };

export type Change =
  | {
      readonly kind: 'put';
      readonly key: ItemKey;
      readonly value: JsonObject;
      readonly when: Condition;
      readonly expiresAtMs?: number;
    }
  | { readonly kind: 'remove'; readonly key: ItemKey; readonly when: Condition }
  | { readonly kind: 'check'; readonly key: ItemKey; readonly when: Condition };

/** The one table in which clusters, nodes, leases, decisions and runs are kept. Reads see every earlier write. */
export interface Registry {
  /** The item's value, or null when there is none. @throws RegistryThrottled */
  read(key: ItemKey): Promise<JsonObject | null>;
  /** All items of `pk` whose sort key begins with `skPrefix`, in the order of their sort keys (bytes). @throws RegistryThrottled */
  list(pk: string, skPrefix: string): Promise<readonly RegistryItem[]>;
  /**
   * Writes 1 to 100 changes of different items, all or none.
   *
   * @throws ConditionFailed when a condition does not hold; its message names the item
   * @throws RegistryThrottled when it may be tried again
   */
  write(changes: readonly Change[]): Promise<void>;
}
