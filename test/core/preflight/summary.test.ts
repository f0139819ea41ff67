import { judge, refusal } from '../../../core/preflight/judge';
import { summaryOf } from '../../../core/preflight/summary';

test('one line a kind, with the first three objects', () => {
  const views = ['a', 'b', 'c', 'd', 'e'].map((name) => judge({ kind: 'view', object: `s.${name}`, detail: '' }));
  const lines = summaryOf([...views, judge({ kind: 'enum type', object: 's.mood', detail: '' })]);
  expect(lines).toEqual([
    'view: s.a, s.b, s.c and 2 more: is created after the rows',
    'enum type: s.mood: is created with its labels in their order',
  ]);
});

test('a hundred refusals are still one sentence', () => {
  const many = Array.from({ length: 100 }, (_, n) => judge({ kind: 'no primary key', object: `s.t${n}`, detail: '' }));
  expect(refusal(many)).toMatch(/^t0 has no primary key.*; t9 has no primary key[^;]*; and 90 more$/);
});
