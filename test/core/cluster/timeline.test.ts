import { leftHistoryAt, parseTimelineHistory } from '../../../core/cluster/timeline';

const history = parseTimelineHistory('1\t0/897F648\tno recovery target specified\n\n2\t1/5000028\tby an operator\n');

test('a history names each timeline and where it ended', () => {
  expect(history).toEqual([
    { timeline: 1, at: '0/897F648' },
    { timeline: 2, at: '1/5000028' },
  ]);
  expect(parseTimelineHistory('')).toEqual([]);
});

test.each([
  ['on the same timeline, wherever it is', 3, 'F/0', null],
  ['that has less than its timeline had', 1, '0/897F600', null],
  ['that has all that its timeline had', 1, '0/897F648', null],
  ['that has more than its timeline had', 1, '0/89813F8', '0/897F648'],
  ['of a later timeline, with more than that had', 2, '1/5000030', '1/5000028'],
  ['of a timeline that is not in the history', 4, '0/1', '0/0'],
] as const)('a standby %s', (_name, timeline, receivedTo, left) => {
  expect(leftHistoryAt({ timeline, receivedTo }, { timeline: 3, history })).toBe(left);
});

test('the first timeline has no history', () => {
  expect(leftHistoryAt({ timeline: 1, receivedTo: '0/1' }, { timeline: 1, history: [] })).toBeNull();
  expect(leftHistoryAt({ timeline: 2, receivedTo: '0/1' }, { timeline: 1, history: [] })).toBe('0/0');
});
