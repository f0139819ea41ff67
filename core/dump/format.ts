/** How much of a file's beginning `whyNotPlainDump` looks at. */
export const dumpHeadBytes = 8_192;

const plainFormat = 'make a plain one with pg_dump --format=plain';

/** Files that begin with these bytes are something else; the sentence says what, and what to do. */
const signatures: readonly (readonly [Buffer, string])[] = [
  [Buffer.from('PGDMP'), `is a dump in custom format; ${plainFormat}, or convert it with pg_restore --file=dump.sql`],
  [Buffer.from('toc.dat'), `is a dump in tar format; ${plainFormat}, or convert it with pg_restore --file=dump.sql`],
  [Buffer.from([0x1f, 0x8b]), 'is compressed with gzip; unpack it with gunzip first'],
  [Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), 'is compressed with zstd; unpack it with unzstd first'],
  [Buffer.from([0x04, 0x22, 0x4d, 0x18]), 'is compressed with lz4; unpack it with unlz4 first'],
  [Buffer.from('BZh'), 'is compressed with bzip2; unpack it with bunzip2 first'],
  [Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a]), 'is compressed with xz; unpack it with unxz first'],
  [Buffer.from('PK\x03\x04', 'latin1'), 'is a zip archive; unpack it first'],
  [Buffer.from('SQLite format 3'), `is an SQLite database, not a PostgreSQL dump; ${plainFormat}`],
  [Buffer.from([0xff, 0xfe]), 'is encoded in UTF-16; save it as UTF-8'],
  [Buffer.from([0xfe, 0xff]), 'is encoded in UTF-16; save it as UTF-8'],
];

/** Words with which a statement of a dump can begin. */
const firstWords = new Set(
  'set select create begin start comment alter insert copy drop grant revoke do with truncate delete update call reset lock security refresh commit reindex analyze vacuum import merge'.split(
    ' ',
  ),
);

/**
 * Why a file that begins like this can't be a plain SQL dump of one PostgreSQL database, as the end of the sentence "the
 * file …"; null when it may be one.
 *
 * @param head its first `dumpHeadBytes`, or all of it
 */
export function whyNotPlainDump(head: Buffer): string | null {
  const known = signatures.find(([signature]) => head.subarray(0, signature.length).equals(signature));
  if (known !== undefined) {
    return known[1];
  }
  if (head.includes(0)) {
    return `is binary, not SQL text; ${plainFormat}`;
  }
  const text = head.toString('utf8').replace(/^\u{feff}/u, '');
  if (text.trim() === '') {
    return `is empty; ${plainFormat}`;
  }
  if (/^\s*<(!doctype|html|\?xml)/i.test(text)) {
    return 'is a web page or XML, probably the answer to a failed download; download the dump again';
  }
  if (/^-- (MySQL|MariaDB) dump/m.test(text)) {
    return 'is a dump of MySQL or MariaDB, and only PostgreSQL dumps can be loaded';
  }
  if (/^-- PostgreSQL database cluster dump/m.test(text)) {
    return 'is a dump of a whole server (pg_dumpall); dump one database with pg_dump';
  }
  const word = firstWord(text);
  if (word !== null && !firstWords.has(word.toLowerCase())) {
    return `begins with '${word}', which is not SQL; ${plainFormat}`;
  }
  return null;
}

/** The first word outside comments and psql's own commands; null when the head has only those. */
function firstWord(text: string): string | null {
  const code = text
    .replace(/--[^\n]*/g, ' ')
    .replace(/\/\*[\s\S]*?(\*\/|$)/g, ' ')
    .replace(/^\s*\\[^\n]*/gm, ' ')
    .trim();
  return code === '' ? null : (/^\S{1,40}/.exec(code)?.[0].replace(/[;(].*$/s, '') ?? null);
}
