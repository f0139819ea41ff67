import fc from 'fast-check';
import { DumpLexer, type DumpItem } from '../../../core/dump/lexer';

/** Items of a whole dump, cut into pieces of these sizes; neighbouring rows become one item. */
function lex(dump: string | Buffer, sizes: readonly number[] = [1 << 20]): readonly DumpItem[] {
  const lexer = new DumpLexer();
  const items: DumpItem[] = [];
  let rest = Buffer.from(dump);
  for (let index = 0; rest.length > 0; index += 1) {
    const size = sizes[index % sizes.length] ?? 1;
    items.push(...lexer.push(rest.subarray(0, size)));
    rest = rest.subarray(size);
  }
  items.push(...lexer.end());
  return joined(items);
}

function joined(items: readonly DumpItem[]): readonly DumpItem[] {
  const result: DumpItem[] = [];
  for (const item of items) {
    const last = result.at(-1);
    if (item.kind === 'rows' && last?.kind === 'rows') {
      result[result.length - 1] = { kind: 'rows', body: Buffer.concat([last.body, item.body]) };
    } else {
      result.push(item);
    }
  }
  return result;
}

const statements = (dump: string, sizes?: readonly number[]): readonly string[] =>
  lex(dump, sizes).map((item) => ('text' in item ? item.text : item.kind));

const free = fc.string({ maxLength: 12 });
/** Tokens in which a semicolon, a quote or a backslash ends nothing. */
const token = fc.oneof(
  fc.constantFrom(
    'SELECT',
    'a$b$c',
    'x',
    '1',
    '$1',
    '+',
    '- 1',
    '/ 2',
    'é',
    '"from stdin"',
    ',',
    'E',
    'begin',
    'end',
    '*',
  ),
  free.map((text) => `'${text.replaceAll("'", "''")}'`),
  free.map((text) => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`),
  free.map((text) => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`),
  free.map((text) => `"${text.replaceAll('"', '""')}x"`),
  free.filter((text) => !text.includes('$')).map((text) => `$$${text};$$`),
  free.filter((text) => !text.includes('$tag_1$')).map((text) => `$tag_1$${text}; $$ ;$ta $tag_1$`),
  free.map((text) => `-- ${text.replaceAll('\n', ' ')}; '\n`),
  free.filter((text) => !/[*/]/.test(text)).map((text) => `/* ${text}; ' /* nested; */ */`),
  free.filter((text) => /^[^()'"$\\/*;-]*$/.test(text)).map((text) => `(${text};)`),
);
const statement = fc.array(token, { maxLength: 8 }).map((tokens) => ['DO', ...tokens].join(' ').trim());
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });

test('statements come back whole, wherever the file is cut', () => {
  fc.assert(
    fc.property(fc.array(statement, { maxLength: 5 }), sizes, (drawn, cut) => {
      // A comment ends with its line, so it may not be the last thing before the semicolon.
      const dump = drawn.map((text) => `${text}\n;\n-- between; '\n`).join('');
      expect(statements(dump, cut)).toEqual(drawn.map((text) => text.trim()));
    }),
    { numRuns: 500 },
  );
});

test('rows come back byte for byte, wherever the file is cut', () => {
  const row = fc.oneof(
    free.map((text) => text.replaceAll('\n', ' ').replaceAll('\\.', 'x')),
    fc.constantFrom('\\\\.', 'a\\.b', '.', '\\N', ''),
  );
  fc.assert(
    fc.property(fc.array(row, { maxLength: 8 }), sizes, fc.constantFrom('\n', '\r\n'), (rows, cut, newline) => {
      const body = rows.map((text) => text + newline).join('');
      const items = lex(`COPY t (a) FROM stdin;${newline}${body}\\.${newline}${newline}SELECT 1;${newline}`, cut);
      expect(items).toEqual([
        { kind: 'copy', text: 'COPY t (a) FROM stdin', line: 1, dataLine: 2 },
        ...(body === '' ? [] : [{ kind: 'rows', body: Buffer.from(body) }]),
        { kind: 'end of rows' },
        { kind: 'statement', text: 'SELECT 1', line: rows.length + 4 },
      ]);
    }),
    { numRuns: 500 },
  );
});

test('bodies of SQL functions hold semicolons, CASE and all', () => {
  const body = `CREATE OR REPLACE FUNCTION s.f(n integer) RETURNS integer
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT CASE WHEN n > 0 THEN 1 ELSE 2 END;
 SELECT 3;
END`;
  expect(statements(`${body};\nBEGIN;\nSELECT 1;\nEND;\n`)).toEqual([body, 'BEGIN', 'SELECT 1', 'END']);
});

test('rules hold several statements in parentheses', () => {
  const rule = 'CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO a VALUES (1); INSERT INTO b VALUES (2))';
  expect(statements(`${rule};\n`)).toEqual([rule]);
});

test('commands of psql stand alone in a line; comments and empty statements are nothing', () => {
  const dump = `--\n-- PostgreSQL database dump\n--\n\n\\restrict Abc123\n\nSET a = 1;\n;\n/* all\n of; it */ SELECT 2; -- end;\n\\unrestrict Abc123\n`;
  expect(lex(dump)).toEqual([
    { kind: 'command', text: 'restrict Abc123', line: 5 },
    { kind: 'statement', text: 'SET a = 1', line: 7 },
    { kind: 'statement', text: 'SELECT 2', line: 10 },
    { kind: 'command', text: 'unrestrict Abc123', line: 11 },
  ]);
});

test('a table may be called as if it were COPY', () => {
  expect(lex('COPY "t from stdin" TO stdout;\n').map(({ kind }) => kind)).toEqual(['statement']);
  expect(lex(`INSERT INTO t VALUES ('COPY t FROM stdin');\n`).map(({ kind }) => kind)).toEqual(['statement']);
});

test('the last line may lack its end', () => {
  expect(statements('COPY t FROM stdin;\n1\n\\.')).toEqual(['COPY t FROM stdin', 'rows', 'end of rows']);
  expect(statements('\\connect other')).toEqual(['connect other']);
});

test.each([
  ["SELECT 'abc", 'a string from line 1 on'],
  ['SELECT 1;\nSELECT 2', 'the statement from line 2 on'],
  ['COPY t FROM stdin;\n1\n2\n', 'the rows of COPY from line 1 on'],
  ['COPY t FROM stdin;', 'a COPY statement from line 1 on'],
  ['CREATE FUNCTION f() AS $x$ $$', 'a dollar string from line 1 on'],
  ['\n/* ', 'a block comment from line 2 on'],
])('a dump that ends too early is named: %j', (dump, where) => {
  expect(() => lex(dump)).toThrow(`the dump is incomplete: it ends in the middle of ${where}; make it again`);
});

test('rows take no memory: pieces of them are passed on at once', () => {
  const lexer = new DumpLexer();
  lexer.push(Buffer.from('COPY t FROM stdin;\n'));
  const piece = Buffer.from('some row\n'.repeat(1_000));
  for (let round = 0; round < 100; round += 1) {
    const passed = lexer.push(piece).reduce((sum, item) => sum + (item.kind === 'rows' ? item.body.length : 0), 0);
    expect(passed).toBe(piece.length);
  }
});
