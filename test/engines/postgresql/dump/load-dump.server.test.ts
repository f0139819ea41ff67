import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseAddress } from '../../../../core/ports/database-engine';
import { checkDumpFile } from '../../../../engines/postgresql/dump/dump-file';
import { loadDump, type DumpProgress, type LoadedDump } from '../../../../engines/postgresql/dump/load-dump';
import { postgresStructure } from '../../../../engines/postgresql/structure/structure';
import { freshDatabase, startTestServer, testClient, type TestServer } from '../../../support/postgres';

const fixture = (name: string): string => join(__dirname, 'fixtures', name);

let server: TestServer;
let folder: string;

beforeAll(async () => {
  server = await startTestServer();
  folder = await mkdtemp(join(tmpdir(), 'rejoin-test-dump-'));
});

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

async function load(file: string): Promise<LoadedDump & { readonly address: DatabaseAddress }> {
  const address = await freshDatabase(server);
  return { address, ...(await loadDump(server.source, address, file, () => undefined)) };
}

async function fileOf(content: string | Buffer): Promise<string> {
  const file = join(folder, 'dump.sql');
  await writeFile(file, content);
  return file;
}

async function rowsOf(address: DatabaseAddress, query: string): Promise<readonly unknown[]> {
  const client = await testClient(server, address);
  try {
    return (await client.query<Record<string, unknown>>(query)).rows;
  } finally {
    await client.end();
  }
}

/** All rows of all tables as text, so that two loads can be compared. */
async function content(address: DatabaseAddress): Promise<readonly unknown[]> {
  const tables = (await rowsOf(
    address,
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`,
  )) as { name: string }[];
  return Promise.all(
    tables.map(async ({ name }) => [name, await rowsOf(address, `SELECT t::text FROM ${name} t ORDER BY 1`)]),
  );
}

test('a dump as pg_dump writes it is loaded, with its schemas and what was passed over', async () => {
  const loaded = await load(fixture('shop-copy.sql'));
  expect(loaded).toMatchObject({
    rows: 52,
    schemas: ['Odd "one"; é', 'sales'],
  });
  expect(loaded.notes.map((note) => note.replace(/^line \d+/, 'line'))).toEqual([
    'line: ALTER FUNCTION … OWNER was passed over: role "shop_owner" does not exist',
    'line: ALTER TABLE … OWNER was passed over: role "shop_owner" does not exist',
    'line: CREATE POLICY was passed over: role "Report ing" does not exist',
    'line: CREATE PUBLICATION was passed over: Rejoin replicates the tables itself',
    'line: ALTER PUBLICATION … OWNER was passed over: Rejoin replicates the tables itself',
    'line: GRANT USAGE was passed over: role "Report ing" does not exist',
    'line: GRANT SELECT was passed over: role "Report ing" does not exist',
  ]);
  await expect(
    rowsOf(loaded.address, `SELECT name, notes, name_length, photo FROM sales.customers WHERE id <= 3 ORDER BY id`),
  ).resolves.toEqual([
    {
      name: "Ann\tO'Neil\\",
      notes: 'line one\nline two\r\nline three \\. end',
      name_length: 11,
      photo: Buffer.from('00ff5c2e0a', 'hex'),
    },
    { name: 'Bób "the; builder"', notes: '\\.', name_length: 18, photo: null },
    { name: '', notes: '\\N', name_length: 0, photo: Buffer.alloc(0) },
  ]);
  await expect(rowsOf(loaded.address, 'SELECT sales.order_count(2)')).resolves.toEqual([{ order_count: '8' }]);
});

test('a dump with INSERT, made for a database of its own, gives the same rows', async () => {
  const [copied, inserted] = [await load(fixture('shop-copy.sql')), await load(fixture('shop-inserts.sql'))];
  expect(await content(inserted.address)).toEqual(await content(copied.address));
  expect(inserted.notes).toContainEqual(expect.stringContaining('loaded into the database that was given'));
});

test('what was loaded passes the preflight but for what it names', async () => {
  const { address, schemas } = await load(fixture('shop-copy.sql'));
  const structure = postgresStructure(server.source);
  const refused = (await structure.preflight(address, schemas)).filter(({ verdict }) => verdict === 'refused');
  expect(refused).toEqual([]);
  const described = await structure.describe(address, schemas);
  expect(described.tables.map(({ table }) => table)).toEqual([
    'order lines $$',
    'customers',
    'orders',
    'visits_2025',
    'visits_rest',
  ]);
});

test('owners and privileges are kept where their roles exist', async () => {
  await rowsOf(server.address, 'CREATE ROLE shop_owner');
  await rowsOf(server.address, 'CREATE ROLE "Report ing"');
  try {
    const { address, notes } = await load(fixture('shop-copy.sql'));
    expect(notes.filter((note) => note.includes('does not exist'))).toEqual([]);
    await expect(rowsOf(address, `SELECT tableowner FROM pg_tables WHERE tablename = 'customers'`)).resolves.toEqual([
      { tableowner: 'shop_owner' },
    ]);
    await rowsOf(address, 'DROP OWNED BY shop_owner, "Report ing" CASCADE');
  } finally {
    await rowsOf(server.address, 'DROP ROLE shop_owner');
    await rowsOf(server.address, 'DROP ROLE "Report ing"');
  }
});

test('memory stays bounded and progress is told while 120 MB of rows pass', async () => {
  const lines = 'some words that fill a row up to its hundred bytes, more or less, so that there are many\t42\n'.repeat(
    10_000,
  );
  const file = await fileOf(
    `CREATE TABLE public.big (a text, b integer);\nCOPY public.big (a, b) FROM stdin;\n${lines.repeat(130)}\\.\n`,
  );
  const seen: DumpProgress[] = [];
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  const loaded = await loadDump(server.source, await freshDatabase(server), file, (progress) => {
    seen.push(progress);
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  });
  expect(loaded.rows).toBe(1_300_000);
  expect(seen.length).toBeGreaterThan(100);
  expect(seen.at(-1)).toMatchObject({ readBytes: seen[0]?.totalBytes });
  expect(most).toBeLessThan(64_000_000);
});

describe('bad files', () => {
  async function refusal(contentOfFile: string | Buffer): Promise<{ readonly name: string; readonly message: string }> {
    const address = await freshDatabase(server);
    const thrown: unknown = await loadDump(server.source, address, await fileOf(contentOfFile), () => undefined).catch(
      (error: unknown) => error,
    );
    // Whatever went wrong, nothing is left behind.
    await expect(content(address)).resolves.toEqual([]);
    return thrown as Error;
  }

  test.each<[string, string | Buffer, string]>([
    ['custom format', Buffer.from('PGDMP\x01\x0e\x00'), 'is a dump in custom format'],
    ['gzip', Buffer.from([0x1f, 0x8b, 8, 0]), 'is compressed with gzip'],
    ['nothing', '', 'is empty'],
    ['a web page', '<!DOCTYPE html>', 'is a web page'],
    ['a whole server', '--\n-- PostgreSQL database cluster dump\n--\n', 'is a dump of a whole server'],
    ['cut off', '--\n-- PostgreSQL database dump\n--\nCREATE TABLE t (id int);\n', "lacks pg_dump's last line"],
    [
      'cut off in rows',
      'CREATE TABLE t (id int);\nCOPY t FROM stdin;\n1\n',
      'ends in the middle of the rows of COPY from line 2 on',
    ],
    ['roles', 'CREATE TABLE t (id int);\nCREATE ROLE x;\n', "can't be loaded, line 2: it is about roles"],
    [
      'two databases',
      '\\connect a\nCREATE TABLE t (id int);\n\\connect b\n',
      "can't be loaded, line 3: it changes to another database",
    ],
    ['another encoding', "SET client_encoding = 'LATIN1';\n", 'the dump is encoded in LATIN1'],
  ])('%s: one clear sentence', async (_name, contentOfFile, message) => {
    expect(await refusal(contentOfFile)).toMatchObject({
      name: 'InvalidInput',
      message: expect.stringContaining(message) as string,
    });
  });

  test('a pipe is refused before it is read: a dump is read several times', async () => {
    await expect(checkDumpFile('/dev/null')).rejects.toMatchObject({
      name: 'InvalidInput',
      message: "the file '/dev/null' is no regular file, and a dump is read several times; save it in one",
    });
  });

  test('a failing statement is named with its line', async () => {
    expect(await refusal('CREATE TABLE t (id int);\n\n-- here\nCREATE TABLE t\n (id int);\n')).toMatchObject({
      name: 'SqlFailed',
      message: expect.stringMatching(/dump\.sql, line 4: relation "t" already exists, in: CREATE TABLE t/) as string,
    });
  });

  test('a row that does not fit is named with its line', async () => {
    const dump = `CREATE TABLE t (id int);\nCOPY t FROM stdin;\n1\n2\nthree\n4\n\\.\n`;
    expect(await refusal(dump)).toMatchObject({
      name: 'SqlFailed',
      message: expect.stringMatching(
        /dump\.sql, line 5: invalid input syntax for type integer: "three", in: COPY t/,
      ) as string,
    });
  });

  test('rows for a table that is not there are named', async () => {
    const rows = '1\n'.repeat(1_000_000);
    expect(await refusal(`COPY public.absent FROM stdin;\n${rows}\\.\nSELECT 1;\n`)).toMatchObject({
      name: 'SqlFailed',
      message: expect.stringContaining('relation "public.absent" does not exist') as string,
    });
  });

  test('a file or a directory that can not be read', async () => {
    const address = await freshDatabase(server);
    const none = () => undefined;
    await expect(loadDump(server.source, address, join(folder, 'absent'), none)).rejects.toThrow("can't be read");
    await expect(loadDump(server.source, address, folder, none)).rejects.toThrow('is a directory, perhaps a dump');
  });
});

test('what a newer pg_dump says to its server is passed over by one that does not know it', async () => {
  const { notes } = await load(
    await fileOf('SET no_such_setting = 0;\nCREATE SCHEMA public;\nCREATE TABLE t (id int);\n'),
  );
  expect(notes).toEqual([
    'line 1: SET was passed over: unrecognized configuration parameter "no_such_setting"',
    'line 2: CREATE SCHEMA was passed over: schema "public" already exists',
  ]);
});

test('the fixtures are dumps of one database', async () => {
  expect((await readFile(fixture('shop-copy.sql'), 'utf8')).match(/^COPY /gm)).toHaveLength(6);
  expect(await readFile(fixture('shop-inserts.sql'), 'utf8')).not.toMatch(/^COPY /m);
});
