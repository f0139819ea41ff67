import type { Json } from '../../../core/json';
import { StateFailure } from '../failure';
import { Payload, payloadLimitBytes } from '../payload';

/** What one child execution gets. */
export interface ChildInput {
  readonly payload: Payload;
  /** Items inside; tolerated failures are counted in items. */
  readonly items: number;
}

export interface BatchLimits {
  readonly maxItems: number | null;
  readonly maxBytes: number | null;
  /** Null: none is declared. */
  readonly batchInput: Json | undefined;
}

/**
 * Packs items into the inputs of child executions, each as full as the limits allow.
 *
 * @throws StateFailure States.DataLimitExceeded when one item alone is over the limit
 */
export function batchItems(items: readonly Json[], limits: BatchLimits, stateName: string): readonly ChildInput[] {
  const wrap = (batch: readonly Json[]): Payload =>
    new Payload({ ...(limits.batchInput === undefined ? {} : { BatchInput: limits.batchInput }), Items: batch });
  const emptyBytes = Buffer.byteLength(wrap([]).text);
  const maxBytes = Math.min(limits.maxBytes ?? Infinity, payloadLimitBytes);
  const batches: ChildInput[] = [];
  let batch: Json[] = [];
  let bytes = emptyBytes;
  const close = (): void => {
    if (batch.length > 0) {
      batches.push({ payload: wrap(batch), items: batch.length });
    }
    batch = [];
    bytes = emptyBytes;
  };
  for (const item of items) {
    const itemBytes = Buffer.byteLength(JSON.stringify(item));
    if (emptyBytes + itemBytes > maxBytes) {
      throw new StateFailure(
        'States.DataLimitExceeded',
        `An item of the Map state '${stateName}' makes a batch of ${emptyBytes + itemBytes} bytes; a batch may have ${maxBytes}.`,
      );
    }
    // A comma goes before each item but the first.
    const separatorBytes = batch.length === 0 ? 0 : 1;
    if (bytes + separatorBytes + itemBytes > maxBytes || batch.length === limits.maxItems) {
      close();
    }
    bytes += itemBytes + (batch.length === 0 ? 0 : 1);
    batch.push(item);
  }
  close();
  return batches;
}
