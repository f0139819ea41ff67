import { createHash } from 'node:crypto';
import type { Json } from '../../core/json';
import { StateError } from './state-error';

/** A task that waits for its token to come back. */
export interface PendingTask {
  succeed(output: Json): void;
  fail(error: string | null, cause: string | null): void;
  heartbeat(): void;
}

/** The task tokens of an execution and of the children of its distributed maps. */
export class TaskTokens {
  readonly #pending = new Map<string, PendingTask>();
  readonly #closed = new Set<string>();
  #issued = 0;

  /** A token that is the same in each run of the same execution. */
  issue(executionArn: string, startedAtMs: number): string {
    this.#issued++;
    return createHash('sha256').update(`${executionArn} ${startedAtMs} ${this.#issued}`).digest('base64url');
  }

  open(token: string, task: PendingTask): void {
    this.#pending.set(token, task);
  }

  close(token: string): void {
    if (this.#pending.delete(token)) {
      this.#closed.add(token);
    }
  }

  /** @throws StateError named as the API names it */
  pending(token: string): PendingTask {
    const task = this.#pending.get(token);
    if (task === undefined) {
      throw this.#closed.has(token)
        ? new StateError(
            'TaskTimedOut',
            `task token '${token}' belongs to a task that has ended; nothing waits for it any more`,
          )
        : new StateError('InvalidToken', `task token '${token}' was not issued by this execution`);
    }
    return task;
  }
}
