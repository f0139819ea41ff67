import { judge, refusal, type Finding } from '../../../core/preflight/judge';

test('a table without a primary key is refused in the words of the specification', () => {
  expect(judge({ kind: 'no primary key', object: 'shard_0000.orders', detail: '' })).toEqual({
    object: 'shard_0000.orders',
    kind: 'no primary key',
    verdict: 'refused',
    reason: "orders has no primary key, so its changes can't be applied row by row",
    whatToDo: 'ALTER TABLE shard_0000.orders ADD PRIMARY KEY (…), for example on a new identity column',
  });
});

test.each([
  ['shard_0000."Order.Lines"', '"Order.Lines"'],
  ['"a.b"."say ""hi"""', '"say ""hi"""'],
  ['orders', 'orders'],
])('%s is called %s', (object, name) => {
  expect(judge({ kind: 'foreign table', object, detail: '' }).reason).toBe(
    `${name} is a foreign table: its rows are elsewhere`,
  );
});

test('what is refused is named together with what to do; what is handled is not', () => {
  const findings: Finding[] = [
    { kind: 'view', object: 's.v', detail: '' },
    { kind: 'no primary key', object: 's.a', detail: '' },
    { kind: 'event trigger', object: 'audit', detail: '' },
  ];
  const sentence = refusal(findings.map(judge));
  expect(sentence).toMatch(
    /^a has no primary key.*\(ALTER TABLE s\.a .*\); event trigger audit .*\(DROP EVENT TRIGGER audit/,
  );
  expect(refusal(findings.slice(0, 1).map(judge))).toBeNull();
});
