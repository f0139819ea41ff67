import { pipeline } from 'node:stream/promises';
import type { Client } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';

/** The largest piece handed over at once, so that the server parses one while the next is on its way. */
const pieceBytes = 262_144;

/**
 * Runs a `COPY … TO STDOUT` and hands over what comes, in pieces of any size. When `take` throws, or returns `enough`,
 * the rest is not read, and then the session can only be ended.
 */
export async function copyOut(client: Client, sql: string, take: (piece: Buffer) => 'more' | 'enough'): Promise<void> {
  const stream = client.query(copyTo(sql));
  for await (const piece of stream as AsyncIterable<Buffer>) {
    if (take(piece) === 'enough') {
      return;
    }
  }
}

/** Runs a `COPY … FROM STDIN` with these bytes. @returns rows copied */
export async function copyIn(client: Client, sql: string, body: Buffer): Promise<number> {
  const stream = client.query(copyFrom(sql));
  await pipeline(pieces(body), stream);
  return stream.rowCount;
}

function* pieces(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; at += pieceBytes) {
    yield body.subarray(at, at + pieceBytes);
  }
}
