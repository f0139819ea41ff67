import { whyNotPlainDump } from '../../../core/dump/format';

test.each([
  ['PGDMP\x01\x0f', 'is a dump in custom format'],
  ['\x1f\x8b\x08', 'is compressed with gzip'],
  ['(\xb5/\xfd', 'is compressed with zstd'],
  ['PK\x03\x04', 'is a zip archive'],
  ['SQLite format 3\0', 'is an SQLite database'],
  ['\xff\xfeS\0', 'is encoded in UTF-16'],
  ['a\0b', 'is binary'],
  ['', 'is empty'],
  [' \n\n', 'is empty'],
  ['<!DOCTYPE html><html>', 'is a web page'],
  ['  <html><body>404', 'is a web page'],
  ['-- MySQL dump 10.13\n', 'is a dump of MySQL or MariaDB'],
  ['--\n-- PostgreSQL database cluster dump\n--\n', 'is a dump of a whole server (pg_dumpall)'],
  ['id,name\n1,x\n', "begins with 'id,name', which is not SQL"],
  ['-- a comment\nhello world', "begins with 'hello', which is not SQL"],
])('%j is not a plain dump', (head, reason) => {
  expect(whyNotPlainDump(Buffer.from(head, 'latin1'))).toContain(reason);
});

test.each([
  '--\n-- PostgreSQL database dump\n--\n\n\\restrict x\n\n-- Dumped from database version 18.1\n\nSET statement_timeout = 0;\n',
  '\u{feff}SELECT 1;',
  '/* all\nof it */ create table t(id int);',
  '-- only a comment so far',
])('%j may be one', (head) => {
  expect(whyNotPlainDump(Buffer.from(head))).toBeNull();
});
