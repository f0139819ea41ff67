import { visitsOf, type StateEvent } from '../../../core/executions/state-visits';

const event = (id: number, previousEventId: number, type: string, state: string | null = null): StateEvent => ({
  id,
  previousEventId,
  type,
  atMs: id * 10,
  state,
});

test('a line of states', () => {
  const visits = visitsOf([
    event(1, 0, 'ExecutionStarted'),
    event(2, 1, 'TaskStateEntered', 'Fence'),
    event(3, 2, 'TaskScheduled'),
    event(4, 3, 'TaskSucceeded'),
    event(5, 4, 'TaskStateExited', 'Fence'),
    event(6, 5, 'WaitStateEntered', 'Wait'),
  ]);
  expect(visits).toEqual([
    { state: 'Fence', enteredAtMs: 20, exitedAtMs: 50 },
    { state: 'Wait', enteredAtMs: 60, exitedAtMs: null },
  ]);
});

test('a state that is left by its failure has no exit', () => {
  const visits = visitsOf([
    event(2, 1, 'TaskStateEntered', 'Launch'),
    event(3, 2, 'TaskFailed'),
    event(4, 3, 'TaskStateEntered', 'Undo'),
    event(5, 4, 'TaskStateExited', 'Undo'),
  ]);
  expect(visits.map(({ state, exitedAtMs }) => [state, exitedAtMs])).toEqual([
    ['Launch', null],
    ['Undo', 50],
  ]);
});

test('a loop visits a state again', () => {
  const visits = visitsOf([
    event(2, 1, 'WaitStateEntered', 'Wait'),
    event(3, 2, 'WaitStateExited', 'Wait'),
    event(4, 3, 'WaitStateEntered', 'Wait'),
    event(5, 4, 'WaitStateExited', 'Wait'),
  ]);
  expect(visits).toEqual([
    { state: 'Wait', enteredAtMs: 20, exitedAtMs: 30 },
    { state: 'Wait', enteredAtMs: 40, exitedAtMs: 50 },
  ]);
});

test('iterations of a map that run at once keep their own exits', () => {
  const visits = visitsOf([
    event(1, 0, 'MapStateEntered', 'Promote all'),
    event(2, 1, 'MapIterationStarted'),
    event(3, 2, 'TaskStateEntered', 'Promote'),
    event(4, 1, 'MapIterationStarted'),
    event(5, 4, 'TaskStateEntered', 'Promote'),
    event(6, 5, 'TaskStateExited', 'Promote'),
    event(7, 3, 'TaskStateExited', 'Promote'),
    event(8, 7, 'MapStateSucceeded'),
    event(9, 8, 'MapStateExited', 'Promote all'),
  ]);
  expect(visits).toEqual([
    { state: 'Promote all', enteredAtMs: 10, exitedAtMs: 90 },
    { state: 'Promote', enteredAtMs: 30, exitedAtMs: 70 },
    { state: 'Promote', enteredAtMs: 50, exitedAtMs: 60 },
  ]);
});
