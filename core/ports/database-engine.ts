import type { RowRange, SchemaDescription } from '../cluster/manifest';
import type { LogPosition } from '../cluster/position';

/** Where one node's database server answers. The engine finds credentials and TLS mode by `cluster`. */
export interface DatabaseAddress {
  readonly cluster: string;
  readonly nodeId: string;
  readonly host: string;
  readonly port: number;
  readonly database: string;
}

/** `answers`: SQL ran. `failing`: it accepted the connection and answered with an error. */
export interface DatabaseProbe {
  readonly verdict: 'answers' | 'failing' | 'refused' | 'timed out';
  readonly detail: string;
  readonly tookMs: number;
}

/** Something about a table that restoring rows has to know. */
export interface Peculiarity {
  readonly object: string;
  readonly kind: string;
  readonly verdict: 'handled' | 'refused';
  /** How it is handled, or why it is refused. */
  readonly reason: string;
  /** For a refused one: what its owner can do. Null for a handled one. */
  readonly whatToDo: string | null;
}

export interface ShardOnNode {
  readonly shard: string;
  readonly epoch: number;
  readonly writable: boolean;
}

export interface SlotState {
  readonly state: 'usable' | 'lost' | 'absent';
  /** Everything before it has been confirmed; null unless usable. */
  readonly confirmedTo: LogPosition | null;
  /** Log kept for it; null when unknown. */
  readonly lagBytes: number | null;
}

/** What slots keep a server from removing. */
export interface SlotRetention {
  /** Log held back by the slowest of all slots of the server; 0 where there is none. */
  readonly retainedBytes: number;
  /** Where the server ends a slot: its `max_slot_wal_keep_size`; null: nowhere. */
  readonly limitBytes: number | null;
}

/** Changes of whole transactions, as they came out of the slot. */
export interface CapturedChanges {
  readonly body: Buffer;
  readonly from: LogPosition;
  /** The end of the last transaction: what the slot may be advanced to once `body` is stored. */
  readonly to: LogPosition;
  readonly rows: number;
  readonly transactions: number;
  /** Whether the slot had no more at the time. */
  readonly drained: boolean;
}

/** Row count, and the sums modulo 2^64 of both halves of each row's MD5, as decimal text (spec: node-recovery, rule 12). */
export interface RowChecksum {
  readonly rows: number;
  readonly high: string;
  readonly low: string;
}

export interface KeyDigest {
  readonly key: readonly string[];
  readonly md5: string;
}

/** What a database holds, before Rejoin knows it. */
export interface DatabaseHoldings {
  readonly schemas: readonly { readonly schema: string; readonly tables: readonly string[] }[];
  /** The names of its subscriptions, whoever made them. */
  readonly subscriptions: readonly string[];
}

/** Finds out how a node is. */
export interface DatabaseProbing {
  probe(address: DatabaseAddress, timeoutMs: number): Promise<DatabaseProbe>;
  /** Where its log ends now. */
  position(address: DatabaseAddress): Promise<LogPosition>;
  /** Which of these schemas it has. `all`: those of its users, which are not the server's, an extension's or Rejoin's. */
  holdings(address: DatabaseAddress, schemas: readonly string[] | 'all'): Promise<DatabaseHoldings>;
}

/** The structure of a shard's tables. */
export interface DatabaseStructure {
  preflight(address: DatabaseAddress, schemas: readonly string[]): Promise<readonly Peculiarity[]>;
  /** @throws PreflightRefused when a table can't be restored by rows */
  describe(address: DatabaseAddress, schemas: readonly string[]): Promise<SchemaDescription>;
  /** Creates what `beforeRows` says and the shard's bookkeeping, closed for writes. What is there already stays. */
  createTables(
    address: DatabaseAddress,
    order: { readonly shard: string; readonly epoch: number; readonly schema: SchemaDescription },
  ): Promise<void>;
  /** Starts building keys and indexes and returns at once; the server goes on by itself. Repeating it starts what is missing. */
  startIndexes(
    address: DatabaseAddress,
    order: { readonly shard: string; readonly schema: SchemaDescription; readonly part: 'keys' | 'indexes' },
  ): Promise<void>;
  indexProgress(
    address: DatabaseAddress,
    order: { readonly shard: string; readonly schema: SchemaDescription; readonly part: 'keys' | 'indexes' },
  ): Promise<{
    readonly built: number;
    readonly total: number;
    readonly running: readonly string[];
    readonly failed: readonly string[];
  }>;
  /** Foreign keys, triggers and what else comes after the rows. Repeating it changes nothing. */
  finishTables(
    address: DatabaseAddress,
    order: { readonly shard: string; readonly schema: SchemaDescription },
  ): Promise<void>;
  /**
   * Drops unique and exclusion constraints and indexes beside the keys, which `finishTables` builds again: while changes
   * are replayed over the rows of a snapshot, rows are as they were at different moments. @throws DecisionRefused when the
   * shard accepts writes
   */
  dropUniques(
    address: DatabaseAddress,
    order: { readonly shard: string; readonly schemas: readonly string[] },
  ): Promise<void>;
  /** Drops a shard that was never opened here. */
  dropShard(
    address: DatabaseAddress,
    order: { readonly shard: string; readonly schemas: readonly string[] },
  ): Promise<void>;
}

/** Who may write a shard, and who confirms its commits. Every session uses `synchronous_commit = local`. */
export interface DatabaseOwnership {
  /** Adds the write check (rule 2) and the durability check (rule 3) to a shard's tables. */
  installShard(
    address: DatabaseAddress,
    order: {
      readonly shard: string;
      readonly schemas: readonly string[];
      readonly epoch: number;
      readonly writable: boolean;
    },
  ): Promise<void>;
  /** Of a standby, none is writable: the server itself refuses writes, whatever its primary's bookkeeping says. */
  shards(address: DatabaseAddress): Promise<readonly ShardOnNode[]>;
  /** Sets sequences past the largest value, then accepts writes at `epoch`. Never lowers an epoch. */
  openShard(address: DatabaseAddress, order: { readonly shard: string; readonly epoch: number }): Promise<void>;
  /** Takes the shard's lock alone, refuses writes from then on; returns the position after the last write. @throws SqlFailed when `drainTimeoutMs` runs out */
  closeShard(
    address: DatabaseAddress,
    order: { readonly shard: string; readonly epoch: number; readonly drainTimeoutMs: number },
  ): Promise<LogPosition>;
  /**
   * Refuses writes of a shard that another node has taken, and ends the sessions of those who write it: until then their
   * commits wait for a follower of old, and must never be acknowledged. @throws SqlUnavailable when they don't end
   */
  revokeShard(address: DatabaseAddress, order: { readonly shard: string; readonly epoch: number }): Promise<void>;
  /** Replaces the list of followers that confirm each commit; [] confirms locally. */
  setSynchronousFollowers(address: DatabaseAddress, names: readonly string[]): Promise<void>;
  synchronousFollowers(address: DatabaseAddress): Promise<readonly string[]>;
}

/** Slots and the changes that come out of them. */
export interface DatabaseCapture {
  /** Creates publication (explicit tables) and slot; an existing usable slot of that name is kept. @returns where changes begin */
  openSlot(
    address: DatabaseAddress,
    order: { readonly slot: string; readonly shard: string; readonly schemas: readonly string[] },
  ): Promise<LogPosition>;
  slot(address: DatabaseAddress, slot: string): Promise<SlotState>;
  /** Of the whole server, whoever's slots they are. */
  retention(address: DatabaseAddress): Promise<SlotRetention>;
  /** Reads without consuming. Null when there is nothing. @throws SlotLost */
  peek(
    address: DatabaseAddress,
    order: { readonly slot: string; readonly shard: string; readonly maxBytes: number },
  ): Promise<CapturedChanges | null>;
  advance(address: DatabaseAddress, order: { readonly slot: string; readonly to: LogPosition }): Promise<void>;
  /** Drops the slot, ending whoever reads it. Absent ones are no error. */
  dropSlot(address: DatabaseAddress, slot: string): Promise<void>;
}

/** Rows in and out. */
export interface DatabaseRows {
  /**
   * Cuts the shard's tables into ranges of about `rowsPerChunk` rows and at most `bytesPerChunk` bytes. An empty table has one
   * range.
   *
   * @param order.withoutKey what becomes of tables whose rows no primary key tells apart. @default 'refused'
   * @throws PreflightRefused where they are refused
   */
  planRanges(
    address: DatabaseAddress,
    order: {
      readonly schemas: readonly string[];
      readonly rowsPerChunk: number;
      readonly bytesPerChunk: number;
      readonly withoutKey?: 'refused' | 'left out';
    },
  ): Promise<readonly { readonly range: RowRange; readonly columns: readonly string[] }[]>;
  /** The range's rows in COPY text format, read without a lock. @throws SqlFailed when they exceed `maxBytes` */
  readRange(
    address: DatabaseAddress,
    order: { readonly range: RowRange; readonly columns: readonly string[]; readonly maxBytes: number },
  ): Promise<{ readonly body: Buffer; readonly rows: number }>;
  /** Loads rows once: a repeated call with the same `loadId` does nothing. Triggers and foreign keys don't fire. @returns rows added */
  loadRows(
    address: DatabaseAddress,
    order: {
      readonly loadId: string;
      readonly shard: string;
      readonly range: RowRange;
      readonly columns: readonly string[];
      readonly body: Buffer;
    },
  ): Promise<number>;
  /**
   * Loads rows into a temporary table like the range's own, and forgets them: whether a backup could be restored.
   *
   * @returns how many rows there were
   * @throws SqlFailed when they don't fit
   */
  checkRows(
    address: DatabaseAddress,
    order: { readonly range: RowRange; readonly columns: readonly string[]; readonly body: Buffer },
  ): Promise<number>;
  /**
   * Applies changes once, in batches, each with the position it reaches, in one transaction. Changes at or before the
   * position reached are passed over. An empty body only moves the position.
   *
   * @throws ManifestMismatch when changes between the position reached and the body's begin are missing, or the body does
   * not end at `to`; SqlFailed naming table and column when the tables are not as the source's
   */
  applyChanges(
    address: DatabaseAddress,
    order: { readonly shard: string; readonly lineage: string; readonly body: Buffer; readonly to: LogPosition },
  ): Promise<{ readonly rows: number; readonly passedOver: number }>;
  /**
   * The position reached in a lineage (one slot's log), by applied segments or by native replication under the slot's name;
   * null before the first apply.
   */
  appliedTo(
    address: DatabaseAddress,
    order: { readonly shard: string; readonly lineage: string },
  ): Promise<LogPosition | null>;
}

/** One version of a row: its content, and the transaction that wrote it. */
export interface RowDigest {
  readonly md5: string;
  readonly xmin: string;
}

/** Content compared between two nodes (rule 12). */
export interface DatabaseComparison {
  checksum(address: DatabaseAddress, range: RowRange): Promise<RowChecksum>;
  digests(address: DatabaseAddress, range: RowRange): Promise<readonly KeyDigest[]>;
  /** MD5 and xmin of the rows of these keys, in their order, all from one moment; null where there is none. */
  rowDigests(
    address: DatabaseAddress,
    order: { readonly range: RowRange; readonly keys: readonly (readonly string[])[] },
  ): Promise<readonly (RowDigest | null)[]>;
  /** Copies rows by key from source to target, deleting there what the source lacks. @returns rows written or deleted */
  repairRows(
    source: DatabaseAddress,
    target: DatabaseAddress,
    order: { readonly shard: string; readonly range: RowRange; readonly keys: readonly (readonly string[])[] },
  ): Promise<number>;
}

/** Native logical replication of one shard from its primary to its follower. */
export interface DatabaseReplication {
  /**
   * Creates the subscription on an existing slot, not enabled; advances its replication origin to `from`; enables it.
   * Repeating it changes nothing.
   */
  follow(
    follower: DatabaseAddress,
    order: {
      readonly name: string;
      readonly shard: string;
      readonly primary: DatabaseAddress;
      readonly from: LogPosition;
    },
  ): Promise<void>;
  /** What the primary knows of a follower. */
  followerState(
    primary: DatabaseAddress,
    name: string,
  ): Promise<{ readonly streaming: boolean; readonly flushedTo: LogPosition | null; readonly lagBytes: number | null }>;
  /** The names of all followers that stream from this node now. */
  streamingFollowers(primary: DatabaseAddress): Promise<readonly string[]>;
  /** How far each follower of this node has confirmed its log, streaming or not, by name. */
  confirmedPositions(primary: DatabaseAddress): Promise<Readonly<Record<string, LogPosition>>>;
  /** Writes a row that a shard's follower will confirm; returns the position after it. */
  writeMarker(primary: DatabaseAddress, shard: string): Promise<LogPosition>;
  /** Stops following and proves that no apply worker is left: from then on it confirms nothing. */
  pauseFollowing(follower: DatabaseAddress, name: string): Promise<void>;
  resumeFollowing(follower: DatabaseAddress, name: string): Promise<void>;
  /**
   * Drops every subscription and slot of Rejoin's names: for an instance restored from a snapshot, which goes on with what was
   * true then. Others stay. Repeating it changes nothing.
   */
  leaveReplication(address: DatabaseAddress): Promise<void>;
  /** Drops the subscription here, whether or not its primary answers; the slot stays. Absent ones are no error. */
  stopFollowing(follower: DatabaseAddress, name: string): Promise<void>;
}

/** What a server says of its own part in physical replication. */
export interface StandbyState {
  /** False: it is a primary. */
  readonly standby: boolean;
  /** Whether it receives its primary's log at this moment. */
  readonly streaming: boolean;
  /** The end of the log that it has on disk; null where there is none, and on a primary. */
  readonly receivedTo: LogPosition | null;
  /** The end of the log that its rows show; null as above. */
  readonly replayedTo: LogPosition | null;
}

/** Physical replication: a standby holds all rows of its primary. */
export interface DatabaseStandby {
  /** @throws SqlUnavailable */
  standbyState(address: DatabaseAddress): Promise<StandbyState>;
  /**
   * Makes a standby receive a primary's log, which keeps it for the standby by a slot of that name. Repeating it changes
   * nothing; another primary takes the place of the one before.
   *
   * @throws SqlFailed when the server is not a standby, or has received log that the primary never had; SlotLost when the
   * primary no longer has the log that it needs
   */
  standBehind(
    standby: DatabaseAddress,
    order: { readonly name: string; readonly primary: DatabaseAddress },
  ): Promise<void>;
  /** Makes a standby a primary, and returns when it accepts writes. A primary stays one. @throws SqlFailed when it does not become one in time */
  promoteStandby(address: DatabaseAddress, order: { readonly timeoutMs: number }): Promise<void>;
  /**
   * Since when every change is in the log that the server can give to a standby, in milliseconds since the epoch. Null: since
   * ever, because an archive has what the server let go.
   */
  logKeptFromMs(address: DatabaseAddress): Promise<number | null>;
  /** Drops the slot of a standby on its primary, ending whoever reads it. Absent ones are no error. */
  forgetStandby(primary: DatabaseAddress, name: string): Promise<void>;
}

/** All that Rejoin asks of a database server. Steps name the parts they need. */
export interface DatabaseEngine
  extends
    DatabaseProbing,
    DatabaseStructure,
    DatabaseOwnership,
    DatabaseCapture,
    DatabaseRows,
    DatabaseComparison,
    DatabaseReplication,
    DatabaseStandby {}
