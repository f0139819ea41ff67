import { EventEmitter, once } from 'node:events';
import type { Clock } from '../../core/ports/clock';

/** Who calls the control process. */
export interface Caller {
  /** As the caller says; null: a worker. */
  readonly nodeId: string | null;
  /** The loopback address that it calls from. */
  readonly address: string;
}

/**
 * The network between nodes and the control process. A link that is cut loses nothing: what was on its way arrives when it
 * is healed, as TCP would have it, unless the caller has given up before.
 */
export class ControlLinks {
  /** How many messages wait for a link to be healed. */
  held = 0;
  private readonly cutFrom = new Set<string>();
  private readonly delaysMs = new Map<string, number>();
  private readonly healed = new EventEmitter().setMaxListeners(0);

  constructor(private readonly clock: Clock) {}

  /** @param from a node's id or a loopback address */
  cut(from: string): void {
    this.cutFrom.add(from);
  }

  heal(from: string): void {
    this.cutFrom.delete(from);
    this.healed.emit('healed');
  }

  /** Delays every message from and to it; 0 ends that. */
  delay(from: string, delayMs: number): void {
    this.delaysMs.set(from, delayMs);
  }

  /** Resolves when a message has gone over the link. @throws the signal's reason when the caller gives up first */
  async pass(caller: Caller, signal: AbortSignal): Promise<void> {
    const names = [caller.nodeId, caller.address].filter((name) => name !== null);
    const delayMs = Math.max(0, ...names.map((name) => this.delaysMs.get(name) ?? 0));
    if (delayMs > 0) {
      await this.clock.sleep(delayMs, signal);
    }
    this.held++;
    try {
      while (names.some((name) => this.cutFrom.has(name))) {
        await once(this.healed, 'healed', { signal });
      }
    } finally {
      this.held--;
    }
  }
}
