import { decideCommand, decideStatement } from '../../../core/dump/decide-statement';

test.each([
  ['CREATE TABLE public.t (id integer)', 'run'],
  ["SELECT pg_catalog.set_config('search_path', '', false)", 'run'],
  ["SET client_encoding = 'UTF8'", 'skip'],
  ['SET transaction_timeout = 0', 'run if known'],
  ['CREATE EXTENSION IF NOT EXISTS postgis WITH SCHEMA public', 'run if available'],
  ["COMMENT ON EXTENSION postgis IS 'maps'", 'run if known'],
  ['BEGIN', 'skip'],
  ['COMMIT', 'skip'],
  ['CREATE SCHEMA public', 'run if absent'],
  ['CREATE SCHEMA sales', 'run'],
  ['ALTER TABLE public.t OWNER TO somebody', 'run if roles exist'],
  ['ALTER FUNCTION public.f(\n  a integer)\n OWNER TO somebody', 'run if roles exist'],
  ['GRANT SELECT ON TABLE public.t TO somebody', 'run if roles exist'],
  ['CREATE POLICY p ON public.t TO somebody USING (true)', 'run if roles exist'],
  ['ALTER TABLE ONLY public.t ADD CONSTRAINT p PRIMARY KEY (id)', 'run'],
  ['CREATE DATABASE d WITH TEMPLATE = template0', 'skip'],
  ['GRANT CONNECT ON DATABASE d TO somebody', 'skip'],
  ['CREATE PUBLICATION p FOR ALL TABLES', 'skip'],
  ['CREATE ROLE somebody', 'refuse'],
  ['CREATE USER MAPPING FOR somebody SERVER s', 'run if roles exist'],
  ["SET client_encoding = 'LATIN1'", 'refuse'],
])('%s: %s', (text, action) => {
  expect(decideStatement(text).action).toBe(action);
});

test.each([
  ['restrict abc', 0, 'skip'],
  ['unrestrict abc', 0, 'skip'],
  ['connect d', 0, 'skip'],
  ['connect d', 1, 'refuse'],
  ['i other.sql', 0, 'refuse'],
  ['! rm', 0, 'refuse'],
])('\\%s after %d: %s', (text, before, action) => {
  expect(decideCommand(text, before).action).toBe(action);
});
