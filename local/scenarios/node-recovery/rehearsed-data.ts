import type { NodeItem, Shard } from '../../../core/cluster/items';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import type { ConnectionSource } from '../../../engines/postgresql/connection';
import type { LedgerWords, RowName, RowState } from '../../load/ledger';
import type { LoadOrder } from '../../load/load-process';
import type { CheckedServer } from './content';
import type { SpaceNeeded } from './space-needed';

/** Where data is put: one owner of a shard, by its administrator. */
export interface DataTarget {
  readonly source: ConnectionSource;
  readonly owner: DatabaseAddress;
  /** The role of the application, which is given its rights. */
  readonly applicationRole: string;
}

/** What a rehearsed cluster holds: how it gets there, who writes to it, and how each of its rows is found again. */
export interface RehearsedData {
  /** In the progress, such as 'makes 16 shards with 400,000 rows'. */
  readonly making: string;
  readonly shardCount: number;
  /** About what its rows take. */
  readonly space: SpaceNeeded;
  /** Puts a shard's tables and rows on one owner, equal on each; resolves with their schemas. */
  fill(target: DataTarget, shard: string): Promise<readonly string[]>;
  /** What the load generator is told; once the cluster is filled. */
  load(): LoadOrder['data'];
  /** The node that the fault is about. */
  victim(nodes: readonly NodeItem[], seed: number): NodeItem | undefined;
  /** One row of a shard written by an application that changes nothing, in SQL. */
  harmlessWrite(shard: string): string;
  readonly words: LedgerWords;
  /** The state in which a server holds each of these rows of a shard. */
  stateOf(server: CheckedServer, shard: Shard, rows: readonly RowName[]): Promise<ReadonlyMap<RowName, RowState>>;
  /** What is worth knowing of the data beside the checks. */
  notes(): readonly string[];
}
