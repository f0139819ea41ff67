/** Schemas of the shard below. */
export const oddSchemas = ['shard_0007', 'Süß "quoted" schema'];
export const oddShard = 'shard_0007';

const longest = 'n'.repeat(63);

/** Tables with everything that restoring rows has to get right. Run it on each node that has the shard. */
export const oddTables = `
  CREATE SCHEMA shard_0007;
  CREATE SCHEMA "Süß ""quoted"" schema";
  CREATE TYPE shard_0007."Mood ☺" AS ENUM ('sad', 'so so', 'quite, "happy"');
  CREATE DOMAIN shard_0007.positive AS int NOT NULL CHECK (VALUE > 0);
  CREATE DOMAIN shard_0007.document AS text NOT NULL;

  CREATE TABLE shard_0007.plain (id int PRIMARY KEY, v text);

  CREATE TABLE shard_0007.types (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    flag bool, small int2, single float4, double float8, exact numeric(20, 5), cash money, fixed char(8), short varchar(40),
    words text, bytes bytea, moment timestamptz, day date, pause interval, tags text[], grid int[][], document json,
    binary_document jsonb, mark uuid, address inet, span int4range, mood shard_0007."Mood ☺", amount shard_0007.positive,
    essay shard_0007.document, area bit varying(9), place point,
    doubled numeric GENERATED ALWAYS AS (exact * 2) STORED);

  CREATE TABLE shard_0007.seats (
    row_no int, seat text COLLATE "C", guest text UNIQUE, number int GENERATED ALWAYS AS IDENTITY, essay text,
    PRIMARY KEY (seat, row_no));
  CREATE TABLE shard_0007.pairs (left_id int, right_id int, PRIMARY KEY (left_id, right_id));
  CREATE TABLE shard_0007.essays (id int PRIMARY KEY, title text, essay text, notes text);
  CREATE TABLE shard_0007.whole (id int PRIMARY KEY, title text, essay text);
  ALTER TABLE shard_0007.whole REPLICA IDENTITY FULL;

  CREATE TABLE shard_0007.events (day date, id int, what text, PRIMARY KEY (day, id)) PARTITION BY RANGE (day);
  CREATE TABLE shard_0007.events_2025 PARTITION OF shard_0007.events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
  CREATE TABLE shard_0007.events_2026 PARTITION OF shard_0007.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');

  CREATE TABLE "Süß ""quoted"" schema"."order items; -- '" (
    "key, with "" quotes" text PRIMARY KEY, "${longest}" text, "back\\slash" int);
  CREATE UNLOGGED TABLE shard_0007.scratch (id int PRIMARY KEY);`;

/** The tables above whose rows count, with their keys. */
export const oddTableKeys: readonly {
  readonly schema: string;
  readonly table: string;
  readonly keyColumns: string[];
}[] = [
  { schema: 'Süß "quoted" schema', table: `order items; -- '`, keyColumns: ['key, with " quotes'] },
  { schema: 'shard_0007', table: 'essays', keyColumns: ['id'] },
  { schema: 'shard_0007', table: 'events_2025', keyColumns: ['day', 'id'] },
  { schema: 'shard_0007', table: 'events_2026', keyColumns: ['day', 'id'] },
  { schema: 'shard_0007', table: 'pairs', keyColumns: ['left_id', 'right_id'] },
  { schema: 'shard_0007', table: 'plain', keyColumns: ['id'] },
  { schema: 'shard_0007', table: 'seats', keyColumns: ['seat', 'row_no'] },
  { schema: 'shard_0007', table: 'types', keyColumns: ['id'] },
  { schema: 'shard_0007', table: 'whole', keyColumns: ['id'] },
];

/** Rows of the tables above; values that are hard to copy among them. */
export const oddRows = `
  INSERT INTO shard_0007.plain SELECT n, 'row ' || n FROM generate_series(1, 500) AS n;
  INSERT INTO shard_0007.plain VALUES (-1, NULL), (-2, ''), (-3, E'tab\\t newline\\n return\\r back\\\\slash \\\\N \\\\.'), (-4, '\\.');
  INSERT INTO shard_0007.types (flag, small, single, double, exact, cash, fixed, short, words, bytes, moment, day, pause, tags,
      grid, document, binary_document, mark, address, span, mood, amount, essay, area, place)
  VALUES (true, -32768, 0.1, 0.1, 12345.67890, 1234.5, 'ab  c', 'short  ', E'ünï ☃ 😀\\n', '\\x00ff0a5c', '2026-03-29 01:30:00.123456+00',
          '0044-03-15 BC', '1 year -2 days 03:04:05.678', ARRAY['a,b', NULL, '"q"', '{}', E'\\\\', 'NULL'], '{{1,2},{3,NULL}}',
          '{"b": 1,  "a" : "\\n"}', '{"b": 1, "a": [null, 1.50]}', '00000000-0000-0000-0000-00000000000a', '::1/64', '[1,5)',
          'quite, "happy"', 1, 'x', B'0101', '(1.5,-0)'),
         (NULL, NULL, 'NaN', '-Infinity', 'NaN', NULL, NULL, NULL, NULL, NULL, 'infinity', '-infinity', NULL, '{}', NULL, 'null',
          'null', NULL, NULL, 'empty', NULL, 2, '', NULL, NULL);
  INSERT INTO shard_0007.types (single, double, amount, essay)
  SELECT random() * 1e10, random() / 3, n, repeat(md5(n::text), n) FROM generate_series(1, 60) AS n;
  INSERT INTO shard_0007.seats (row_no, seat, guest, essay)
  SELECT n % 7, chr(65 + n % 26) || n, 'guest ' || n, CASE WHEN n % 5 = 0 THEN (SELECT string_agg(md5((n * i)::text), '') FROM generate_series(1, 200) i) END
    FROM generate_series(1, 150) AS n;
  INSERT INTO shard_0007.pairs SELECT n / 10, n FROM generate_series(1, 300) AS n;
  INSERT INTO shard_0007.essays SELECT n, 'title ' || n, (SELECT string_agg(md5((n * i)::text), '') FROM generate_series(1, 300) i), NULL
    FROM generate_series(1, 60) AS n;
  INSERT INTO shard_0007.whole SELECT n, 'title ' || n, (SELECT string_agg(md5((n * i)::text), '') FROM generate_series(1, 300) i)
    FROM generate_series(1, 30) AS n;
  INSERT INTO shard_0007.events SELECT date '2025-06-01' + n, n, 'event ' || n FROM generate_series(1, 400) AS n;
  INSERT INTO "Süß ""quoted"" schema"."order items; -- '" VALUES
    ('', NULL, 1), ('it''s', E'\\\\', 2), (E'\\\\N', 'b', 3), ('\\.', '\\.', 4), (E'a\\tb\\n', '', 5), ('ä', 'x', 6), ('Z', 'x', 7),
    ('a', 'x', 8), ('☃', 'x', 9), ('"', 'x', NULL);
  INSERT INTO shard_0007.scratch VALUES (1);`;
