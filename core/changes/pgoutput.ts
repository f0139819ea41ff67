import { RejoinError } from '../errors';

/**
 * Messages of PostgreSQL's `pgoutput` plugin, protocol version 1, values as text
 * (https://www.postgresql.org/docs/18/protocol-logicalrep-message-formats.html).
 *
 * A tuple is not copied: it is the list of the places in the segment's body where its values begin, each at its kind byte
 * (`n` null, `u` unchanged TOAST value, `t` text: length in 4 bytes, then the text).
 */
export type Tuple = number[];

export const valueKind = { null: 0x6e, unchanged: 0x75, text: 0x74 } as const;

export interface RelationColumn {
  readonly name: string;
  /** Part of the replica identity. */
  readonly isKey: boolean;
  readonly typeId: number;
}

export interface Relation {
  readonly id: number;
  readonly schema: string;
  readonly table: string;
  readonly replicaIdentity: 'default' | 'nothing' | 'full' | 'index';
  readonly columns: readonly RelationColumn[];
}

/** `key`: only key columns are filled, the others are null whatever they hold. */
export interface OldTuple {
  readonly kind: 'key' | 'full';
  readonly values: Tuple;
}

export type RowChange =
  | { readonly kind: 'insert'; readonly relationId: number; readonly values: Tuple }
  | { readonly kind: 'update'; readonly relationId: number; readonly old: OldTuple | null; readonly values: Tuple }
  | { readonly kind: 'delete'; readonly relationId: number; readonly old: OldTuple };

export type ChangeMessage =
  | RowChange
  /** `commitAt` is where the transaction's commit begins in the log, in bytes. */
  | { readonly kind: 'begin'; readonly commitAt: bigint; readonly xid: number }
  /** `end` is the position after the transaction, in bytes. */
  | { readonly kind: 'commit'; readonly end: bigint }
  /** The transaction was first written on another node. */
  | { readonly kind: 'origin'; readonly name: string }
  | { readonly kind: 'relation'; readonly relation: Relation }
  /** The name of a type that is not built in; of a domain, that of the type below it. */
  | { readonly kind: 'type'; readonly typeId: number; readonly schema: string; readonly name: string }
  | { readonly kind: 'truncate'; readonly relationIds: readonly number[] };

const identities = { d: 'default', n: 'nothing', f: 'full', i: 'index' } as const;

const code = {
  begin: 0x42,
  commit: 0x43,
  origin: 0x4f,
  relation: 0x52,
  type: 0x59,
  insert: 0x49,
  update: 0x55,
  delete: 0x44,
  truncate: 0x54,
};
const tuplePart = { key: 0x4b, full: 0x4f, new: 0x4e };

/** What a message is, by its first byte; for those who only count. */
export function kindOfMessage(first: number | undefined): 'commit' | 'change' | 'relation' | 'other' {
  switch (first ?? 0) {
    case code.commit:
      return 'commit';
    case code.insert:
    case code.update:
    case code.delete:
    case code.truncate:
      return 'change';
    case code.relation:
    case code.type:
      return 'relation';
    default:
      return 'other';
  }
}

/** Decodes the message `body[start..end)`. @throws ChunkDamaged when it is none of the above, or has another length */
export function decodeMessage(body: Buffer, start: number, end: number): ChangeMessage {
  const reader = new MessageReader(body, start, end);
  const message = decode(reader);
  reader.finish();
  return message;
}

function decode(reader: MessageReader): ChangeMessage {
  const kind = reader.byte();
  switch (kind) {
    case code.insert: {
      const relationId = reader.int32();
      reader.expect(tuplePart.new);
      return { kind: 'insert', relationId, values: reader.tuple() };
    }
    case code.update: {
      const relationId = reader.int32();
      const part = reader.byte();
      if (part === tuplePart.new) {
        return { kind: 'update', relationId, old: null, values: reader.tuple() };
      }
      const old = reader.oldTuple(part);
      reader.expect(tuplePart.new);
      return { kind: 'update', relationId, old, values: reader.tuple() };
    }
    case code.delete: {
      const relationId = reader.int32();
      return { kind: 'delete', relationId, old: reader.oldTuple(reader.byte()) };
    }
    case code.begin: {
      const commitAt = reader.int64();
      reader.pass(8);
      return { kind: 'begin', commitAt, xid: reader.int32() };
    }
    case code.commit: {
      reader.pass(9);
      const end = reader.int64();
      reader.pass(8);
      return { kind: 'commit', end };
    }
    case code.relation:
      return { kind: 'relation', relation: decodeRelation(reader) };
    case code.type:
      return { kind: 'type', typeId: reader.int32(), schema: reader.schema(), name: reader.string() };
    case code.truncate: {
      const count = reader.int32();
      reader.pass(1);
      return { kind: 'truncate', relationIds: Array.from({ length: count }, () => reader.int32()) };
    }
    case code.origin:
      reader.pass(8);
      return { kind: 'origin', name: reader.string() };
    default:
      return reader.fail(`is of the unknown kind '${String.fromCharCode(kind)}' (${kind})`);
  }
}

function decodeRelation(reader: MessageReader): Relation {
  const id = reader.int32();
  const schema = reader.schema();
  const table = reader.string();
  const identity = String.fromCharCode(reader.byte());
  const replicaIdentity =
    identity in identities
      ? identities[identity as keyof typeof identities]
      : reader.fail(`has the unknown replica identity '${identity}'`);
  const columns = Array.from({ length: reader.int16() }, () => {
    const isKey = (reader.byte() & 1) === 1;
    const name = reader.string();
    const typeId = reader.int32();
    reader.pass(4);
    return { name, isKey, typeId };
  });
  return { id, schema, table, replicaIdentity, columns };
}

/** Reads one message and never beyond it. */
class MessageReader {
  private at: number;

  constructor(
    private readonly body: Buffer,
    private readonly start: number,
    private readonly end: number,
  ) {
    this.at = start;
  }

  pass(bytes: number): number {
    const at = this.at;
    this.at = at + bytes;
    if (bytes < 0 || this.at > this.end) {
      this.fail('is too short');
    }
    return at;
  }

  byte(): number {
    return this.body[this.pass(1)] ?? 0;
  }

  int16(): number {
    return this.body.readUInt16BE(this.pass(2));
  }

  int32(): number {
    return this.body.readUInt32BE(this.pass(4));
  }

  int64(): bigint {
    return this.body.readBigUInt64BE(this.pass(8));
  }

  string(): string {
    const from = this.at;
    const to = this.body.indexOf(0, from);
    this.pass(to < 0 ? Infinity : to - from + 1);
    return this.body.toString('utf8', from, to);
  }

  /** pg_catalog is written as an empty name. */
  schema(): string {
    return this.string() || 'pg_catalog';
  }

  expect(part: number): void {
    const found = this.byte();
    if (found !== part) {
      this.fail(`has the part '${String.fromCharCode(found)}' where '${String.fromCharCode(part)}' was expected`);
    }
  }

  oldTuple(part: number): OldTuple {
    if (part !== tuplePart.key && part !== tuplePart.full) {
      this.fail(`has the unknown part '${String.fromCharCode(part)}'`);
    }
    return { kind: part === tuplePart.key ? 'key' : 'full', values: this.tuple() };
  }

  tuple(): Tuple {
    const { body, end } = this;
    const count = this.int16();
    // Made at its size: growing leaves garbage behind for every row.
    const values = new Array<number>(count);
    let at = this.at;
    for (let column = 0; column < count; column += 1) {
      values[column] = at;
      const kind = body[at];
      if (kind === valueKind.text) {
        if (at + 5 > end) {
          this.fail('is too short');
        }
        at += 5 + textBytes(body, at);
      } else if (kind === valueKind.null || kind === valueKind.unchanged) {
        at += 1;
      } else {
        this.fail(`has a value of the unknown kind '${String.fromCharCode(kind ?? 0)}'; values are expected as text`);
      }
    }
    this.pass(at - this.at);
    return values;
  }

  finish(): void {
    if (this.at !== this.end) {
      this.fail(`has ${this.end - this.at} bytes too many`);
    }
  }

  fail(what: string): never {
    throw new RejoinError(
      'ChunkDamaged',
      `the change message at byte ${this.start}, of ${this.end - this.start} bytes, ${what}; read the segment again, or capture it again`,
    );
  }
}

/** The length of the text of a value of kind `t` at `at`. Quicker than a checked read: it is called for every value. */
export function textBytes(body: Buffer, at: number): number {
  return (
    (((body[at + 1] ?? 0) << 24) | ((body[at + 2] ?? 0) << 16) | ((body[at + 3] ?? 0) << 8) | (body[at + 4] ?? 0)) >>> 0
  );
}
