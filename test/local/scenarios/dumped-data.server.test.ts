import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { postgresStructure } from '../../../engines/postgresql/structure/structure';
import { loadDump } from '../../../engines/postgresql/dump/load-dump';
import { dumpedData } from '../../../local/scenarios/node-recovery/dumped-data';
import type { RehearsedData } from '../../../local/scenarios/node-recovery/rehearsed-data';
import { freshDatabase, startTestServer, testClient, type TestServer } from '../../support/postgres';

const fixture = (name: string): string =>
  join(__dirname, '..', '..', 'engines', 'postgresql', 'dump', 'fixtures', `${name}.sql`);

let server: TestServer;
let folder: string;

beforeAll(async () => {
  server = await startTestServer();
  folder = await mkdtemp(join(tmpdir(), 'rejoin-test-dumped-'));
  const client = await testClient(server, server.address);
  await client.query(`CREATE ROLE application LOGIN PASSWORD 'x'`);
  await client.end();
});

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

async function fill(file: string) {
  const data = await dumpedData(file, () => undefined);
  const owner = await freshDatabase(server);
  const schemas = await data.fill({ source: server.source, owner, applicationRole: 'application' }, 'shard_0000');
  return { data, owner, schemas };
}

async function fileOf(content: string | Buffer): Promise<string> {
  const file = join(folder, 'dump.sql');
  await writeFile(file, content);
  return file;
}

describe('a dump with everything that is handled', () => {
  let data: RehearsedData;
  let owner: Awaited<ReturnType<typeof fill>>['owner'];
  let schemas: readonly string[];

  beforeAll(async () => {
    ({ data, owner, schemas } = await fill(fixture('every-peculiarity')));
  });

  test('is one shard of all its schemas', () => {
    expect(schemas).toEqual(['Audit Log', 'archive', 'public', 'sales']);
    expect(data).toMatchObject({ shardCount: 1 });
    expect(data.load()).toEqual({ kind: 'tables', shard: 0, schemas, lanes: 8 });
  });

  test.each([
    'generated column',
    'identity column',
    'partitions',
    'enum type',
    'domain type',
    'composite type',
    'range type',
    'trigger',
    'foreign key',
    'large values',
    'sequence',
    'unlogged table',
    'view',
    'materialized view',
    'rule',
    'extension',
    'row security',
    'exclusion constraint',
    'unique constraint',
    'unproved check',
    'whole-row identity',
  ])('tells how it is handled: %s', (kind) => {
    expect(data.notes()).toContainEqual(expect.stringContaining(`preflight: ${kind}: `));
  });

  test.each(['role "dumper" does not exist', 'role "shop_owner" does not exist', 'role "Clerk 7" does not exist'])(
    'tells what was passed over: %s',
    (reason) => {
      expect(data.notes()).toContainEqual(expect.stringContaining(`was passed over: ${reason}`));
    },
  );

  test('the application sees and writes every row, also where a policy would hide it', async () => {
    const credentials = { username: 'application', password: 'x' };
    const client = await testClient({ ...server, credentials }, owner);
    try {
      const { rows } = await client.query(`UPDATE public.tenants SET active = NOT active RETURNING 1`);
      expect(rows).toHaveLength(20);
      await client.query(`INSERT INTO sales.orders (customer, total, placed) VALUES (1, 5, '2026-02-02')`);
      const written = await client.query(data.harmlessWrite('shard_0000'));
      expect(written.rowCount).toBe(1);
    } finally {
      await client.end();
    }
  });
});

test('what is refused is refused by name, with what to do', async () => {
  await expect(fill(fixture('refused'))).rejects.toMatchObject({
    name: 'PreflightRefused',
    message: expect.stringMatching(
      /child inherits from public\.parent.*ALTER TABLE public\.child NO INHERIT public\.parent.*; and \d+ more$/,
    ) as string,
  });
  const owner = await freshDatabase(server);
  const { schemas } = await loadDump(server.source, owner, fixture('refused'), () => undefined);
  const refused = (await postgresStructure(server.source).preflight(owner, schemas)).filter(
    ({ verdict }) => verdict === 'refused',
  );
  expect([...new Set(refused.map(({ kind }) => kind))].sort()).toEqual([
    'deferrable primary key',
    'event trigger',
    'foreign table',
    'generated key column',
    'inheritance',
    'large objects',
    'no primary key',
    'replica identity',
    'rule that fires on followers',
    'sequence in an expression',
    'sequence without a column',
    'trigger that fires on followers',
    'unsupported object',
  ]);
  expect(refused.every(({ whatToDo }) => whatToDo !== null)).toBe(true);
});

test('what a pg_dump of PostgreSQL 18 writes is loaded', async () => {
  const { data, schemas } = await fill(fixture('version-18'));
  expect(schemas).toEqual(['public']);
  expect(data.notes()).toContainEqual(
    expect.stringContaining('generated column: public.parts.doubled, public.parts.twice'),
  );
});

test('a dump without a table that survives a crash is refused: there is nothing to recover', async () => {
  await expect(fill(fixture('nothing'))).rejects.toThrow(/nothing\.sql' makes no table whose rows survive a crash/);
  const unlogged = await fileOf('CREATE UNLOGGED TABLE public.t (id integer PRIMARY KEY);\n');
  await expect(fill(unlogged)).rejects.toThrow(/makes no table whose rows survive a crash/);
});

test('a table without rows is enough', async () => {
  const { data } = await fill(await fileOf('CREATE TABLE public.t (id integer PRIMARY KEY);\n'));
  expect(data.notes()).toEqual([]);
});

describe('an extension that the server lacks', () => {
  const create = 'CREATE EXTENSION IF NOT EXISTS postgis WITH SCHEMA public;\n';
  const comment = "COMMENT ON EXTENSION postgis IS 'maps';\n";

  test('is passed over where nothing needs it', async () => {
    const { data } = await fill(await fileOf(`${create}${comment}CREATE TABLE public.t (id integer PRIMARY KEY);\n`));
    expect(data.notes()).toEqual([
      'line 1: CREATE EXTENSION was passed over: extension "postgis" is not available',
      'line 2: COMMENT ON was passed over: extension "postgis" does not exist',
    ]);
  });

  test('is named where a table needs it', async () => {
    const file = await fileOf(
      `${create}CREATE TABLE public.t (id integer PRIMARY KEY, place public.geometry(Point,4326));\n`,
    );
    await expect(fill(file)).rejects.toMatchObject({
      name: 'InvalidInput',
      message: expect.stringMatching(
        /line 2: type "public\.geometry" does not exist, and of what it may need this server lacks: extension "postgis" is not available; make the dump without/,
      ) as string,
    });
  });
});

test.each<[string, () => Promise<string>, RegExp]>([
  ['a missing file', async () => join(folder, 'absent.sql'), /can't be read/],
  ['a directory', async () => folder, /is a directory/],
  ['a dump in custom format', () => fileOf(Buffer.from('PGDMP\x01\x0e\x00')), /is a dump in custom format/],
  ['a gzip file', () => fileOf(Buffer.from([0x1f, 0x8b, 8, 0])), /compressed with gzip; unpack it with gunzip first/],
  ['some text', () => fileOf('Dear all,\nplease find attached\n'), /begins with 'Dear', which is not SQL/],
])('%s is refused before anything is started', async (_name, file, message) => {
  await expect(dumpedData(await file(), () => undefined)).rejects.toThrow(message);
});
