import { positionBytes, positionOf, type LogPosition } from '../../../core/cluster/position';
import { SegmentWriter } from '../../../core/changes/segment';

/** A value of a tuple: text, null, or an unchanged TOAST value. */
export type Value = string | null | { readonly unchanged: true };
export const unchanged = { unchanged: true } as const;

const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
};
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const int64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
};
const string = (text: string): Buffer => Buffer.from(`${text}\0`);
const letter = (text: string): Buffer => Buffer.from(text, 'latin1');

function tuple(values: readonly Value[]): Buffer {
  return Buffer.concat([
    int16(values.length),
    ...values.map((value) => {
      if (value === null) {
        return letter('n');
      }
      if (typeof value !== 'string') {
        return letter('u');
      }
      const text = Buffer.from(value);
      return Buffer.concat([letter('t'), int32(text.length), text]);
    }),
  ]);
}

export interface OldValues {
  readonly part: 'K' | 'O';
  readonly values: readonly Value[];
}

/** The messages of pgoutput's protocol version 1, as PostgreSQL's documentation lays them out. */
export const encode = {
  begin: (commitAt: bigint, xid = 7): Buffer => Buffer.concat([letter('B'), int64(commitAt), int64(0n), int32(xid)]),
  commit: (commitAt: bigint, end: bigint): Buffer =>
    Buffer.concat([letter('C'), letter('\0'), int64(commitAt), int64(end), int64(0n)]),
  origin: (name: string): Buffer => Buffer.concat([letter('O'), int64(1n), string(name)]),
  relation: (
    id: number,
    name: { readonly schema: string; readonly table: string; readonly identity?: string },
    columns: readonly { readonly name: string; readonly isKey: boolean; readonly typeId?: number }[],
  ): Buffer =>
    Buffer.concat([
      letter('R'),
      int32(id),
      string(name.schema),
      string(name.table),
      letter(name.identity ?? 'd'),
      int16(columns.length),
      ...columns.map((column) =>
        Buffer.concat([
          letter(column.isKey ? '\x01' : '\0'),
          string(column.name),
          int32(column.typeId ?? 25),
          int32(0xffff_ffff),
        ]),
      ),
    ]),
  type: (id: number, schema: string, name: string): Buffer =>
    Buffer.concat([letter('Y'), int32(id), string(schema), string(name)]),
  insert: (id: number, values: readonly Value[]): Buffer =>
    Buffer.concat([letter('I'), int32(id), letter('N'), tuple(values)]),
  update: (id: number, values: readonly Value[], old: OldValues | null = null): Buffer =>
    Buffer.concat([
      letter('U'),
      int32(id),
      ...(old === null ? [] : [letter(old.part), tuple(old.values)]),
      letter('N'),
      tuple(values),
    ]),
  delete: (id: number, old: OldValues): Buffer =>
    Buffer.concat([letter('D'), int32(id), letter(old.part), tuple(old.values)]),
  truncate: (ids: readonly number[]): Buffer =>
    Buffer.concat([letter('T'), int32(ids.length), letter('\0'), ...ids.map(int32)]),
};

/** Puts messages into a segment; each gets a position of its own. */
export function segmentOf(
  messages: readonly Buffer[],
  from: LogPosition = '0/1',
  to: LogPosition = '0/FFFFFF',
): Buffer {
  const writer = new SegmentWriter();
  messages.forEach((message, number) => {
    const row = Buffer.concat([int64(positionBytes(from) + BigInt(number)), message]);
    writer.add(row, 0, 8, row.length);
  });
  return writer.finish(from, to);
}

/** A transaction whose commit lies at `100 · number` and ends at `100 · number + 10`. */
export function transaction(number: number, changes: readonly Buffer[]): Buffer[] {
  const at = BigInt(number) * 100n;
  return [encode.begin(at, number), ...changes, encode.commit(at, at + 10n)];
}

/** Where `transaction(number, …)` ends. */
export function endOf(number: number): LogPosition {
  return positionOf(BigInt(number) * 100n + 10n);
}

/** The name of the error that `work` throws, or null when it throws none. */
export function errorName(work: () => unknown): string | null {
  try {
    work();
    return null;
  } catch (thrown) {
    return thrown instanceof Error ? thrown.name : 'not an error';
  }
}
