import type { Shard } from '../../../core/cluster/items';
import type { Check } from '../../../core/evidence/evidence';
import type { Credentials } from '../../../core/ports/surroundings';
import type { RowName, RowRecord, TimeSpan } from '../../load/ledger';
import type { CheckedServer } from './content';
import type { RehearsedData } from './rehearsed-data';

/** What the checks look at: the registry as it is in the end, the servers that live, the clients' ledger. */
export interface Aftermath {
  readonly shards: readonly Shard[];
  readonly servers: readonly CheckedServer[];
  readonly data: Pick<RehearsedData, 'stateOf' | 'words' | 'harmlessWrite'>;
  /** Who writes as an application does. */
  readonly application: Credentials;
  readonly records: readonly (readonly [row: RowName, record: RowRecord])[];
  /** The shards whose primary was lost where commits waited for nobody, and when what the evidence gives up was acknowledged. */
  readonly mayBeLost: { readonly shards: readonly number[]; readonly span: TimeSpan } | null;
  /** The node that was built; null: none. */
  readonly replacement: string | null;
  /** How many standbys the primary must have, where each node holds all rows; null: shards have two owners. */
  readonly standbys: number | null;
  /** Whether every shard must have equal copies again: two owners, or every standby. */
  readonly whole: boolean;
  /** From when on acknowledged writes of a shard may be missing, because it came from a backup. */
  readonly mayLackAfterMs: ReadonlyMap<string, number>;
}

export function check(name: string, expected: number | string, got: number | string): Check {
  return { name, ok: expected === got, expected: String(expected), got: String(got) };
}

/** The nodes that hold a shard's rows. */
export function holdersOf({ standbys, servers }: Aftermath, shard: Shard): readonly string[] {
  return standbys === null
    ? [shard.primary, ...(shard.follower === null ? [] : [shard.follower])]
    : servers.map(({ nodeId }) => nodeId);
}

export function serverOf(aftermath: Pick<Aftermath, 'servers'>, nodeId: string): CheckedServer | undefined {
  return aftermath.servers.find((server) => server.nodeId === nodeId);
}
