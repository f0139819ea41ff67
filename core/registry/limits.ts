import { RejoinError } from '../errors';
import type { Json } from '../json';
import type { Change, ItemKey } from '../ports/registry';

/** DynamoDB's bounds on a transaction and an item. */
const changesLimit = 100;
const itemLimitBytes = 400 * 1024;
const transactionLimitBytes = 4 * 1024 * 1024;
const partitionKeyLimitBytes = 2048;
const sortKeyLimitBytes = 1024;

/** The item's name in messages. */
export function nameOf(key: ItemKey): string {
  return `${key.pk} / ${key.sk}`;
}

/** @throws InvalidInput when DynamoDB would not take these changes, whatever is stored */
export function checkLimits(changes: readonly Change[]): void {
  if (changes.length === 0 || changes.length > changesLimit) {
    throw refused(`one write takes 1 to ${changesLimit} changes (given: ${changes.length}); write the rest on its own`);
  }
  const seen = new Set<string>();
  let totalBytes = 0;
  for (const change of changes) {
    const name = nameOf(change.key);
    checkKey(change.key);
    if (seen.has(name)) {
      throw refused(`one write changes an item once, but names ${name} twice; make one change of both`);
    }
    seen.add(name);
    if (change.kind === 'put') {
      const bytes = itemBytes({ ...change.value, ...change.key });
      totalBytes += bytes;
      if (bytes > itemLimitBytes) {
        throw refused(`item ${name} has ${bytes} bytes of at most ${itemLimitBytes}; keep its bulk as an object`);
      }
    }
  }
  if (totalBytes > transactionLimitBytes) {
    throw refused(`one write takes ${transactionLimitBytes} bytes (given: ${totalBytes}); write the rest on its own`);
  }
}

/** @throws InvalidInput */
export function checkKey(key: ItemKey): void {
  for (const [part, value, limitBytes] of [
    ['pk', key.pk, partitionKeyLimitBytes],
    ['sk', key.sk, sortKeyLimitBytes],
  ] as const) {
    const bytes = Buffer.byteLength(value);
    if (bytes === 0 || bytes > limitBytes) {
      throw refused(`${part} of item ${nameOf(key)} must have 1 to ${limitBytes} bytes (given: ${bytes})`);
    }
  }
}

/** The size of an item as DynamoDB counts it: names and values, 3 bytes a list or map and 1 for each thing in it. */
function itemBytes(item: Readonly<Record<string, Json>>): number {
  return Object.entries(item).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + valueBytes(value), 0);
}

function valueBytes(value: Json): number {
  if (typeof value === 'string') {
    return Buffer.byteLength(value);
  }
  if (typeof value === 'number') {
    // Two digits a byte, one for the exponent, one for a sign.
    return Math.ceil(String(Math.abs(value)).replace('.', '').length / 2) + (value < 0 ? 2 : 1);
  }
  if (value === null || typeof value === 'boolean') {
    return 1;
  }
  const entries: (readonly [string, Json])[] = Array.isArray(value)
    ? value.map((inner: Json) => ['', inner] as const)
    : Object.entries(value);
  return entries.reduce((sum, [name, inner]) => sum + 1 + Buffer.byteLength(name) + valueBytes(inner), 3);
}

function refused(message: string): RejoinError {
  return new RejoinError('InvalidInput', message);
}
