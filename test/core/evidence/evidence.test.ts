import { buildEvidence, evidenceSchema, type EvidenceFacts } from '../../../core/evidence/evidence';
import { renderEvidence } from '../../../core/evidence/page';
import { byteText, durationText } from '../../../core/evidence/words';

const facts: EvidenceFacts = {
  run: { machine: 'node-recovery', execution: 'orders-node-3-agent-2026-01-01T00' },
  cluster: 'orders',
  subject: 'node-3',
  trigger: 'agent',
  ending: { outcome: 'recovered', reason: 'node-3-r1 is in sync' },
  startedAtMs: 1_000,
  endedAtMs: 91_000,
  milestonesMs: { fenced: 300, trafficRestored: 900, inSync: 60_000, joined: null },
  recoveryPointSeconds: 0,
  records: [
    {
      state: 'Decide what to do',
      step: 'decide-recovery',
      startedAtMs: 2_000,
      endedAtMs: 2_500,
      attempts: 1,
      ok: true,
      result: { action: 'recover', reason: '<b>two</b> witnesses' },
      error: null,
    },
    {
      state: 'Launch the replacement',
      step: 'launch-replacement',
      startedAtMs: 3_000,
      endedAtMs: 3_500,
      attempts: 2,
      ok: false,
      result: null,
      error: 'CapacityShort: none',
    },
  ],
  visits: [
    { state: 'Decide what to do', enteredAtMs: 2_000, exitedAtMs: 2_500 },
    { state: 'Capture and apply a pass', enteredAtMs: 4_000, exitedAtMs: 5_000 },
    { state: 'Capture and apply a pass', enteredAtMs: 6_000, exitedAtMs: null },
  ],
  fences: [{ of: 'node-3', fence: { kind: 'machine', api: 'stopped', probes: ['subnet-a: timed out'], atMs: 1_300 } }],
  passes: [{ number: 1, segments: 8, rows: 1_234, bytes: 2_048, lagBytes: null, durationMs: 800 }],
  checks: [{ name: 'checksums', ok: true, expected: '8', got: '8' }],
  figures: [{ name: 'rows restored', value: null, unit: 'rows' }],
};

test('every answer with a reason is a decision', () => {
  expect(buildEvidence(facts).decisions).toEqual([
    { atMs: 2_500, state: 'Decide what to do', what: 'recover', reason: '<b>two</b> witnesses' },
  ]);
});

test('the document is what its schema says', () => {
  expect(evidenceSchema.parse(JSON.parse(JSON.stringify(buildEvidence(facts))))).toEqual(buildEvidence(facts));
});

test('the page says the outcome first and shows what is unknown as unknown', () => {
  const page = renderEvidence(buildEvidence(facts));
  expect(page).toContain('<h1>node-recovery of node-3: recovered</h1>');
  expect(page).toContain('<dt>Joined after</dt><dd>not reached</dd>');
  expect(page).toContain('<td>rows restored</td><td>unknown</td>');
  expect(page).toContain('Capture and apply a pass (2×)');
  expect(page).toContain('CapacityShort: none');
});

test('what came from outside is text, and the page asks nobody for anything', () => {
  const page = renderEvidence(buildEvidence(facts));
  expect(page).not.toContain('<b>two</b>');
  expect(page).toContain('&lt;b&gt;two&lt;/b&gt;');
  expect(page).not.toMatch(/<script|src=|href=|url\(/);
});

test('an execution that did nothing has a page without empty tables', () => {
  const page = renderEvidence(
    buildEvidence({ ...facts, records: [], visits: [], fences: [], passes: [], checks: [], figures: [] }),
  );
  expect(page).not.toContain('<h2>');
});

test('figures read as people say them', () => {
  expect([0, 999, 1_500, 61_000, 3_720_000].map(durationText)).toEqual([
    '0 ms',
    '999 ms',
    '1.5 s',
    '1 min 1 s',
    '1 h 2 min',
  ]);
  expect([0, 1_023, 1_536, 5_242_880].map(byteText)).toEqual(['0 B', '1023 B', '1.5 KiB', '5.0 MiB']);
});
