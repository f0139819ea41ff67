import type { StateType } from '../history';
import type { Thread } from './thread';

const abortedEvent = {
  Task: 'TaskStateAborted',
  Wait: 'WaitStateAborted',
  Parallel: 'ParallelStateAborted',
  Map: 'MapStateAborted',
} as const satisfies Partial<Record<StateType, string>>;

/** Records the states that a line leaves unfinished, inner ones first, all following `previousEventId` as on AWS. */
export function recordAborted(thread: Thread, previousEventId: number): void {
  if (thread.visit === null) {
    return;
  }
  for (const inner of thread.inner) {
    recordGivenUp(inner, previousEventId);
  }
  const { type } = thread.visit.state;
  if (type === 'Task' || type === 'Wait' || type === 'Parallel' || type === 'Map') {
    thread.recordAside(abortedEvent[type], {}, previousEventId);
  }
}

/** The same for a branch or iteration that another one's failure ends. */
export function recordGivenUp(thread: Thread, previousEventId: number): void {
  if (thread.iteration !== null) {
    thread.recordAside('MapIterationAborted', { mapIterationAbortedEventDetails: thread.iteration }, previousEventId);
  }
  recordAborted(thread, previousEventId);
}
