import fc from 'fast-check';
import { subjectLine } from '../../../core/notifications/subject-line';

test('is always what SNS takes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (subject) => {
      expect(subjectLine(subject)).toMatch(/^[ -~]{0,100}$/);
    }),
  );
});

test('leaves an ordinary subject as it is', () => {
  expect(subjectLine('orders: node-3 was replaced')).toBe('orders: node-3 was replaced');
});
