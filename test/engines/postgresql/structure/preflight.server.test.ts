import type { DatabaseAddress, Peculiarity } from '../../../../core/ports/database-engine';
import { postgresStructure } from '../../../../engines/postgresql/structure/structure';
import { freshDatabase, startTestServer, testClient, type TestServer } from '../../../support/postgres';
import { richSchema, schemas } from './rich-schema';

let server: TestServer;
let structure: ReturnType<typeof postgresStructure>;

beforeAll(async () => {
  server = await startTestServer();
  structure = postgresStructure(server.source);
  await database('CREATE ROLE app; CREATE ROLE "read er"');
});

afterAll(() => server.stop());

async function database(sql: string): Promise<DatabaseAddress> {
  const address = await freshDatabase(server);
  const client = await testClient(server, address);
  await client.query(sql);
  await client.end();
  return address;
}

async function found(sql: string): Promise<readonly Peculiarity[]> {
  return structure.preflight(await database(`CREATE SCHEMA s; SET search_path = s; ${sql}`), ['s']);
}

test.each<[kind: string, object: string, reason: string, sql: string]>([
  ['no primary key', 's.orders', 'orders has no primary key', 'CREATE TABLE orders (id int)'],
  [
    'no primary key',
    's.p_1',
    'p_1 has no primary key',
    'CREATE TABLE p (id int) PARTITION BY LIST (id); CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1)',
  ],
  [
    'deferrable primary key',
    's.t',
    'the primary key of t is deferrable',
    'CREATE TABLE t (id int PRIMARY KEY DEFERRABLE)',
  ],
  [
    'primary key without overlaps',
    's.t',
    'ends in WITHOUT OVERLAPS',
    'CREATE EXTENSION btree_gist SCHEMA public; CREATE TABLE t (id int, at tsrange, PRIMARY KEY (id, at WITHOUT OVERLAPS))',
  ],
  [
    'generated key column',
    's.t',
    'column twice of the primary key of t is generated',
    'CREATE TABLE t (id int, twice int GENERATED ALWAYS AS (id * 2) STORED PRIMARY KEY)',
  ],
  [
    'replica identity',
    's.t',
    'the replica identity of t is NOTHING',
    'CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t REPLICA IDENTITY NOTHING',
  ],
  [
    'replica identity',
    's.t',
    'the replica identity of t is an index',
    'CREATE TABLE t (id int PRIMARY KEY, u int NOT NULL UNIQUE); ALTER TABLE t REPLICA IDENTITY USING INDEX t_u_key',
  ],
  ['large objects', 'database test_', 'holds 2 large objects', 'SELECT lo_create(0), lo_create(0)'],
  [
    'foreign table',
    's.f',
    'f is a foreign table',
    'CREATE EXTENSION file_fdw SCHEMA public; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw; CREATE FOREIGN TABLE f (l text) SERVER files OPTIONS (filename $$/dev/null$$)',
  ],
  [
    'inheritance',
    's.c',
    'c inherits from s.t',
    'CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE c (PRIMARY KEY (id)) INHERITS (t)',
  ],
  [
    'needs something outside',
    'table s.t',
    'table s.t needs table public.o',
    'CREATE TABLE public.o (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY REFERENCES public.o)',
  ],
  [
    'needs something outside',
    'table s.t',
    'needs function public.outside()',
    'CREATE FUNCTION public.outside() RETURNS int LANGUAGE sql AS $$SELECT 1$$; CREATE TABLE t (id int PRIMARY KEY DEFAULT public.outside())',
  ],
  [
    'needs something outside',
    'table s.t',
    'needs function public.fire()',
    'CREATE FUNCTION public.fire() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$; CREATE TABLE t (id int PRIMARY KEY); CREATE TRIGGER f AFTER INSERT ON t EXECUTE FUNCTION public.fire()',
  ],
  [
    'needs something outside',
    'view s.v',
    'needs table public.o',
    'CREATE TABLE public.o (id int); CREATE VIEW v AS SELECT id FROM public.o',
  ],
  [
    'needed outside',
    'table s.t',
    'is needed by constraint o_id_fkey on table public.o',
    'CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE public.o (id int PRIMARY KEY REFERENCES t)',
  ],
  [
    'needed outside',
    'table s.t',
    'is needed by rule _RETURN on view public.v',
    'CREATE TABLE t (id int PRIMARY KEY); CREATE VIEW public.v AS SELECT id FROM t',
  ],
  [
    'trigger that fires on followers',
    's.t',
    'trigger f of t is enabled ALWAYS or for replicas',
    'CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$; CREATE TABLE t (id int PRIMARY KEY); CREATE TRIGGER f AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t ENABLE ALWAYS TRIGGER f',
  ],
  [
    'rule that fires on followers',
    's.t',
    'rule r of t is enabled ALWAYS',
    'CREATE TABLE t (id int PRIMARY KEY); CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING; ALTER TABLE t ENABLE REPLICA RULE r',
  ],
  [
    'forced row security',
    's.t',
    'row-level security of t is forced on its owner',
    'CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t OWNER TO app; ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
  ],
  [
    'event trigger',
    'watcher',
    'event trigger watcher belongs to the database',
    'CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$; CREATE EVENT TRIGGER watcher ON ddl_command_end EXECUTE FUNCTION f()',
  ],
  ['sequence without a column', 's.q', 'sequence q fills no column', 'CREATE SEQUENCE q'],
  [
    'sequence in an expression',
    's.q',
    'sequence q fills s.t.code through an expression',
    "CREATE SEQUENCE q; CREATE TABLE t (id int PRIMARY KEY, code text DEFAULT 'c' || nextval('s.q'))",
  ],
  [
    'unsupported object',
    's.plain',
    's.plain is a text search configuration',
    'CREATE TEXT SEARCH CONFIGURATION plain (COPY = english)',
  ],
  [
    'unsupported object',
    's.===(integer,integer)',
    'is an operator',
    'CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)',
  ],
])('%s is refused: %s', async (kind, object, reason, sql) => {
  const peculiarities = await found(sql);
  const refused = peculiarities.filter(({ verdict }) => verdict === 'refused');
  expect(refused).toContainEqual({
    kind,
    verdict: 'refused',
    object: expect.stringContaining(object) as string,
    reason: expect.stringContaining(reason) as string,
    whatToDo: expect.stringMatching(/\w/) as string,
  });
  // One cause, one refusal: more would send its owner after shadows.
  expect(new Set(refused.map((one) => one.kind))).toEqual(new Set([kind]));
});

test.each([
  ['a plain table', 'CREATE TABLE t (id int PRIMARY KEY)'],
  ['a serial column', 'CREATE TABLE t (id serial PRIMARY KEY, small smallserial)'],
  [
    'a sequence that a column of another type than its own reads',
    "CREATE SEQUENCE q; CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval('q'))",
  ],
  ['an unlogged table without a key', 'CREATE UNLOGGED TABLE t (id int)'],
  [
    'a disabled event trigger',
    'CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$; CREATE EVENT TRIGGER w ON ddl_command_end EXECUTE FUNCTION f(); ALTER EVENT TRIGGER w DISABLE',
  ],
  [
    'types and functions of an extension elsewhere',
    'CREATE EXTENSION citext SCHEMA public; CREATE TABLE t (id public.citext PRIMARY KEY)',
  ],
])('%s is not refused', async (_name, sql) => {
  const refused = (await found(sql)).filter(({ verdict }) => verdict === 'refused');
  expect(refused).toEqual([]);
});

test('each kind of a rich schema is named and handled', async () => {
  const peculiarities = await structure.preflight(await database(richSchema), schemas);
  expect(peculiarities.filter(({ verdict }) => verdict === 'refused')).toEqual([]);
  expect([...new Set(peculiarities.map(({ kind }) => kind))].sort()).toEqual([
    'composite type',
    'domain type',
    'enum type',
    'exclusion constraint',
    'extension',
    'foreign key',
    'generated column',
    'identity column',
    'materialized view',
    'partitions',
    'range type',
    'row security',
    'rule',
    'sequence',
    'trigger',
    'unique constraint',
    'unlogged table',
    'unproved check',
    'view',
    'whole-row identity',
  ]);
});

test('rows hidden from the administrator are refused, because they would be lost', async () => {
  const address = await database(`
    CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY); ALTER TABLE s.t ENABLE ROW LEVEL SECURITY;
    CREATE ROLE managed LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA s TO managed;
    GRANT SET ON PARAMETER session_replication_role TO managed;`);
  const managed = postgresStructure({
    ...server.source,
    credentials: async () => ({ username: 'managed', password: 'x' }),
  });
  const refused = (await managed.preflight(address, ['s'])).filter(({ verdict }) => verdict === 'refused');
  expect(refused.map(({ kind, object }) => [kind, object])).toEqual([['hidden rows', 's.t']]);
});

test('describing what is refused throws with each reason and what to do', async () => {
  const address = await database('CREATE SCHEMA s; CREATE TABLE s.orders (id int); CREATE SEQUENCE s.q;');
  await expect(structure.describe(address, ['s'])).rejects.toMatchObject({
    name: 'PreflightRefused',
    message: expect.stringMatching(
      /orders has no primary key.*ALTER TABLE s\.orders.*sequence q fills no column.*OWNED BY/,
    ) as string,
  });
});
