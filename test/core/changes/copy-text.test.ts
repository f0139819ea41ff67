import fc from 'fast-check';
import { ByteWriter } from '../../../core/changes/byte-writer';
import { copyField, endCopyLine, nextCopyField, writeCopyFields } from '../../../core/changes/copy-text';
import { decodeMessage } from '../../../core/changes/pgoutput';
import { encode, unchanged, type Value } from './encode-pgoutput';

/** COPY's text format, read as PostgreSQL's documentation describes it. */
function readLine(line: string): (string | null)[] {
  const names: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', '\\': '\\' };
  return line
    .split('\t')
    .map((field) =>
      field === '\\N' ? null : field.replace(/\\(.)/gs, (_, name: string) => names[name] ?? `?${name}`),
    );
}

function written(values: readonly Value[], positions: readonly number[]): string {
  const message = encode.insert(1, values);
  const decoded = decodeMessage(message, 0, message.length);
  // Begins small, so that it has to grow.
  const writer = new ByteWriter(4);
  writeCopyFields(writer, message, decoded.kind === 'insert' ? decoded.values : [], positions);
  endCopyLine(writer);
  return writer.written().toString();
}

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.constantFrom('\\', '\t', '\n', '\r', 'N', '.', 'x', '☃', ''), { maxLength: 200 })
    .map((parts) => parts.join('')),
);

test('COPY reads back what was written, at the places that were asked for', () => {
  const value = fc.oneof(text, fc.constant(null), fc.constant(unchanged));
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat(5), { minLength: 1 }),
      (values, places) => {
        const positions = places.map((place) => place % values.length);
        const line = written(values, positions);
        expect(line.endsWith('\n')).toBe(true);
        expect(line.slice(0, -1)).not.toMatch(/[\n\r]/);
        const expected = positions
          .map((position) => values[position])
          .map((one) => (typeof one === 'string' ? one : null));
        expect(readLine(line.slice(0, -1))).toEqual(expected);
      },
    ),
  );
});

test('a text that looks like a null, or like the end of the data, is neither', () => {
  expect(written(['\\N', '\\.', '', null], [0, 1, 2, 3])).toBe('\\\\N\t\\\\.\t\t\\N\n');
});

test('texts of long and short values are escaped alike, and so are strings', () => {
  fc.assert(
    fc.property(text, (one) => {
      const line = written([one], [0]).slice(0, -1);
      expect(copyField(one)).toBe(line);
      const long = `${'x'.repeat(100)}${one}`;
      expect(written([long], [0])).toBe(`${'x'.repeat(100)}${line}\n`);
    }),
  );
});

test('the writer keeps what it has when it grows', () => {
  const writer = new ByteWriter(1);
  writer.text('ünï');
  nextCopyField(writer);
  writer.copy(Buffer.from('0123456789'), 2, 5);
  expect(writer.written().toString()).toBe('ünï\t234');
});
