import type { DatabaseCapture } from '../../../core/ports/database-engine';
import { rowSession, shortSession, withSession, type ConnectionSource } from '../connection';
import { advanceSlot } from './advance-slot';
import { dropSlot } from './drop-slot';
import { openSlot } from './open-slot';
import { MessageSizes, peek } from './peek';
import { readRetention } from './retention';
import { slotFacts } from './slot-state';

export interface CaptureOptions {
  /** How long creating a slot may wait for open write transactions. @default 60_000 */
  readonly openTimeoutMs?: number;
  /** The most that one transaction's changes may have. @default 268_435_456 */
  readonly ceilingBytes?: number;
}

export function postgresCapture(source: ConnectionSource, options: CaptureOptions = {}): DatabaseCapture {
  const { openTimeoutMs = 60_000, ceilingBytes = 268_435_456 } = options;
  const sizes = new MessageSizes();
  return {
    openSlot: (address, order) => openSlot(source, address, { ...order, timeoutMs: openTimeoutMs }),
    slot: async (address, slot) => {
      const { state, confirmedTo, lagBytes } = await withSession(source, address, shortSession, (client) =>
        slotFacts(client, slot),
      );
      return { state, confirmedTo, lagBytes };
    },
    // Decoding reads all log since the slot's position, whosesoever it is.
    retention: (address) => withSession(source, address, shortSession, readRetention),
    peek: (address, order) =>
      withSession(source, address, rowSession, (client) => peek(client, { ...order, ceilingBytes }, sizes)),
    advance: (address, { slot, to }) =>
      withSession(source, address, rowSession, (client) => advanceSlot(client, slot, to)),
    dropSlot: (address, slot) => withSession(source, address, shortSession, (client) => dropSlot(client, slot)),
  };
}
