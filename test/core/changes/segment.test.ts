import fc from 'fast-check';
import { SegmentReader, segmentBounds, SegmentWriter } from '../../../core/changes/segment';
import { errorName, segmentOf } from './encode-pgoutput';

function messagesOf(body: Buffer): string[] {
  const reader = new SegmentReader(body);
  const messages: string[] = [];
  while (reader.next()) {
    messages.push(body.toString('latin1', reader.start, reader.end));
  }
  return messages;
}

test('messages come back in order, with the bounds', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (messages) => {
      const body = segmentOf(
        messages.map((message) => Buffer.from(message)),
        '16/B374D848',
        'FFFFFFFF/0',
      );
      expect(messagesOf(body)).toEqual(messages.map((message) => Buffer.from(message).toString('latin1')));
      expect(segmentBounds(body)).toEqual({ from: '16/B374D848', to: 'FFFFFFFF/0' });
    }),
  );
});

test('positions of messages are kept', () => {
  const body = segmentOf([Buffer.from('a'), Buffer.from('bc')], '0/5', '0/9');
  expect([body.readBigUInt64BE(17), body.readBigUInt64BE(17 + 12 + 1)]).toEqual([5n, 6n]);
});

test('a segment can be cut back to what it had', () => {
  const writer = new SegmentWriter();
  const row = Buffer.alloc(20, 1);
  writer.add(row, 0, 8, 20);
  const kept = writer.bytes;
  writer.add(row, 0, 8, 15);
  writer.cutTo(kept);
  expect(messagesOf(writer.finish('0/1', '0/2'))).toEqual([row.toString('latin1', 8)]);
});

test('a segment that was cut off, or is none, is damaged', () => {
  const body = segmentOf([Buffer.from('message'), Buffer.from('second')]);
  const whole = [17, 17 + 12 + 7];
  for (let length = 1; length < body.length; length += 1) {
    const outcome = errorName(() => messagesOf(body.subarray(0, length)));
    expect([length, outcome]).toEqual([length, whole.includes(length) ? null : 'ChunkDamaged']);
  }
  expect(() => segmentBounds(Buffer.from(`2${'x'.repeat(20)}`))).toThrow('not a change segment of version 1');
});
