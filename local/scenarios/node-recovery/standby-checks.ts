import type { Check } from '../../../core/evidence/evidence';
import { check, serverOf, type Aftermath } from './aftermath';
import { ask, type CheckedServer } from './content';

/** Whether the primary is one, and every other server its standby and connected to it, both sides agreeing. */
export async function standbysThatStream(
  { shards, servers }: Pick<Aftermath, 'shards' | 'servers'>,
  { expected, inSync }: { readonly expected: number; readonly inSync: boolean },
): Promise<Check> {
  const primary = shards[0]?.primary;
  const wrong: string[] = inSync ? [] : [`the registry says '${shards[0]?.state ?? 'nothing'}'`];
  let streaming = 0;
  for (const server of servers) {
    const { standby, receives, senders } = await roleOf(server);
    if (server.nodeId === primary) {
      wrong.push(...(standby ? [`${server.nodeId} is no primary`] : []));
      wrong.push(...(senders === expected ? [] : [`${server.nodeId} feeds ${senders}`]));
    } else if (standby && receives) {
      streaming += 1;
    } else {
      wrong.push(`${server.nodeId} is ${standby ? 'a standby that receives nothing' : 'a primary'}`);
    }
  }
  const made = check('standbys that stream from the primary, which is in sync', expected, streaming);
  return wrong.length === 0 ? made : { ...made, ok: false, got: `${streaming}; ${wrong.join(', ')}` };
}

interface Role {
  readonly standby: boolean;
  readonly receives: boolean;
  /** How many standbys it feeds. */
  readonly senders: number;
}

async function roleOf(server: CheckedServer): Promise<Role> {
  const [role] = await ask<Role>(
    server,
    `SELECT pg_is_in_recovery() AS standby,
            EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming') AS receives,
            (SELECT count(*)::integer FROM pg_stat_replication WHERE state = 'streaming') AS senders`,
  );
  return role ?? { standby: false, receives: false, senders: 0 };
}

/** Writes to every server as an application does: the registry's primary takes it, and nobody else. */
export async function acceptedWrites(
  { shards, servers, application }: Pick<Aftermath, 'shards' | 'servers' | 'application'>,
  write: (shard: string) => string,
): Promise<Check> {
  const accepted: string[] = [];
  const expected = shards.flatMap(({ primary }) => (serverOf({ servers }, primary) === undefined ? [] : [primary]));
  for (const { id } of shards) {
    for (const server of servers) {
      const answered = ask({ ...server, administrator: application }, write(id)).then(
        () => true,
        () => false,
      );
      if (await answered) {
        accepted.push(server.nodeId);
      }
    }
  }
  return check('servers that took a write', expected.join(', '), accepted.join(', '));
}
