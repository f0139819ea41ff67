import { DatabaseError, type Client } from 'pg';
import { publicationName } from '../../../core/cluster/names';
import type { LogPosition } from '../../../core/cluster/position';
import type { CapturedChanges } from '../../../core/ports/database-engine';
import { copyOut } from '../copy';
import { identifier, literal } from '../identifier';
import { PeekedChanges } from './peeked-changes';
import { slotFacts, slotLost } from './slot-state';

/** Messages asked for at first where more may be waiting than fits; after that their size is known. */
const firstMessages = 4_096;
/** A question asks for at most so many times what the one before it did. */
const growthLimit = 32;
/** Waiting log up to this many times `maxBytes` is asked for at once: as messages it is seldom larger. */
const smallLagFactor = 2;
/** An answer this full is not asked for again. */
const fullEnough = 0.5;

/** The server refuses to read the slot. */
const notInPrerequisiteState = '55000';

export interface PeekOrder {
  readonly slot: string;
  readonly shard: string;
  readonly maxBytes: number;
  /** The most that one transaction may have. */
  readonly ceilingBytes: number;
}

/** How large messages of each slot were when last read, so that the next question fits at once. */
export class MessageSizes {
  private readonly bytes = new Map<string, number>();

  /** How many messages to ask for. */
  firstLimit(slot: string, maxBytes: number): number {
    const size = this.bytes.get(slot);
    return size === undefined ? firstMessages : Math.max(firstMessages, Math.ceil(maxBytes / size));
  }

  note(slot: string, found: { readonly bytes: number; readonly messages: number }): void {
    if (found.messages > 0) {
      this.bytes.set(slot, found.bytes / found.messages);
    }
  }
}

/**
 * Reads a slot's changes without consuming them: whole transactions of together at most `maxBytes`, or a single larger one.
 * The session can only be ended after.
 *
 * The server decodes all that it is asked for before it sends the first of it, and can be asked for a number of messages
 * only, not of bytes. So where much is waiting, a few are asked for first, and then as many as fit by their size; what
 * comes beyond `maxBytes` is left unread.
 *
 * @throws SlotLost; SqlFailed when one transaction exceeds the ceiling
 */
export async function peek(client: Client, order: PeekOrder, sizes: MessageSizes): Promise<CapturedChanges | null> {
  const { position, lagBytes } = await readableFrom(client, order.slot);
  let limit = lagBytes <= order.maxBytes * smallLagFactor ? null : sizes.firstLimit(order.slot, order.maxBytes);
  for (;;) {
    const found = await read(client, order, limit);
    sizes.note(order.slot, found);
    // The server stops at the first commit at or after the limit, or where the log ends.
    const drained = found.complete && (limit === null || found.messages < limit);
    if (limit === null || drained || found.bytes >= order.maxBytes * fullEnough) {
      return found.result(position, drained);
    }
    limit = Math.ceil(limit * Math.min(growthLimit, Math.max(2, order.maxBytes / found.bytes)));
  }
}

async function readableFrom(
  client: Client,
  slot: string,
): Promise<{ readonly position: LogPosition; readonly lagBytes: number }> {
  const { state, confirmedTo, lagBytes, lostBecause } = await slotFacts(client, slot);
  if (state !== 'usable' || confirmedTo === null) {
    throw slotLost(slot, state === 'lost' ? `lost (${lostBecause ?? 'no reason given'})` : 'absent');
  }
  return { position: confirmedTo, lagBytes: lagBytes ?? 0 };
}

async function read(client: Client, order: PeekOrder, limit: number | null): Promise<PeekedChanges> {
  const found = new PeekedChanges(order);
  const publication = identifier(publicationName(order.shard));
  try {
    await copyOut(
      client,
      `COPY (SELECT lsn, data
               FROM pg_logical_slot_peek_binary_changes(${literal(order.slot)}, NULL, ${limit ?? 'NULL'},
                      'proto_version', '1', 'publication_names', ${literal(publication)}))
         TO STDOUT (FORMAT binary)`,
      (piece) => found.take(piece),
    );
    return found;
  } catch (thrown) {
    if (thrown instanceof DatabaseError && thrown.code === notInPrerequisiteState) {
      await readableFrom(client, order.slot);
    }
    throw thrown;
  }
}
