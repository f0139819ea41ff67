import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Client } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';

/** Copies a table from one server to another by COPY piped into COPY: the rate that others are measured against. */
export async function plainCopy(
  from: Client,
  to: Client,
  table: string,
): Promise<{ readonly rows: number; readonly bytes: number; readonly seconds: number }> {
  let bytes = 0;
  const counter = new Transform({
    transform: (piece: Buffer, _encoding, done) => {
      bytes += piece.length;
      done(null, piece);
    },
  });
  const begun = performance.now();
  const written = to.query(copyFrom(`COPY ${table} FROM STDIN`));
  await pipeline(from.query(copyTo(`COPY ${table} TO STDOUT`)), counter, written);
  return { rows: written.rowCount, bytes, seconds: (performance.now() - begun) / 1_000 };
}
