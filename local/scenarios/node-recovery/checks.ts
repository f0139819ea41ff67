import { setTimeout as delay } from 'node:timers/promises';
import { shardNumber } from '../../../core/cluster/names';
import type { Check } from '../../../core/evidence/evidence';
import { compareWithLedger, type TimeSpan } from '../../load/ledger';
import { check, holdersOf, serverOf, type Aftermath } from './aftermath';
import { contentOf, rowsOutside, writableShards, type CheckedServer } from './content';
import { acceptedWrites, standbysThatStream } from './standby-checks';

/** Followers apply what was written last within this time, or they don't follow. */
const settleMs = 20_000;

/** Everything that must hold after a recovery, read back from the databases themselves. */
export async function checkAftermath(
  aftermath: Aftermath,
): Promise<{ readonly checks: readonly Check[]; readonly owned: number | null; readonly outside: number | null }> {
  const equal = aftermath.whole ? [await equalCopies(aftermath)] : [];
  const ledger = await ledgerChecks(aftermath);
  const writers = await writerCheck(aftermath);
  const replacement = aftermath.servers.find((server) => server.nodeId === aftermath.replacement);
  const ownedShards = aftermath.shards.filter((shard) =>
    holdersOf(aftermath, shard).some((nodeId) => nodeId === replacement?.nodeId),
  );
  const schemas = ownedShards.flatMap((shard) => shard.schemas);
  const outside = replacement === undefined ? null : await rowsOutside(replacement, schemas);
  const owned =
    replacement === undefined ? null : schemas.length === 0 ? 0 : (await contentOf(replacement, schemas)).rows;
  return {
    checks: [
      ...ledger,
      ...equal,
      ...(aftermath.whole ? [await redundancy(aftermath)] : []),
      writers,
      ...(aftermath.standbys === null ? [] : [await acceptedWrites(aftermath, aftermath.data.harmlessWrite)]),
      ...(outside === null ? [] : [check('rows on the new node outside its ownership', 0, outside)]),
    ],
    owned,
    outside,
  };
}

async function redundancy(aftermath: Aftermath): Promise<Check> {
  const { shards, standbys } = aftermath;
  const inSync = shards.filter((shard) => shard.state === 'in sync');
  return standbys === null
    ? check('shards with two owners in sync', shards.length, inSync.filter((shard) => shard.follower !== null).length)
    : standbysThatStream(aftermath, { expected: standbys, inSync: inSync.length === shards.length });
}

async function equalCopies(aftermath: Aftermath): Promise<Check> {
  let equal = 0;
  const different: string[] = [];
  for (const shard of aftermath.shards) {
    const primary = serverOf(aftermath, shard.primary);
    const others = holdersOf(aftermath, shard).filter((nodeId) => nodeId !== shard.primary);
    let same = primary !== undefined && others.length >= (aftermath.standbys ?? 1);
    for (const nodeId of others) {
      const other = serverOf(aftermath, nodeId);
      same &&= primary !== undefined && other !== undefined && (await becomeEqual(primary, other, shard.schemas));
    }
    if (same) {
      equal += 1;
    } else {
      different.push(shard.id);
    }
  }
  const name = `shards whose rows are equal on ${aftermath.standbys === null ? 'both owners' : 'every node'}`;
  return different.length === 0
    ? check(name, aftermath.shards.length, equal)
    : { ...check(name, aftermath.shards.length, equal), got: `${equal}; different: ${different.join(', ')}` };
}

async function becomeEqual(
  primary: CheckedServer,
  follower: CheckedServer,
  schemas: readonly string[],
): Promise<boolean> {
  const untilMs = Date.now() + settleMs;
  for (;;) {
    const [left, right] = await Promise.all([contentOf(primary, schemas), contentOf(follower, schemas)]);
    if (left.digest === right.digest) {
      return true;
    }
    if (Date.now() > untilMs) {
      return false;
    }
    await delay(250);
  }
}

/** Each acknowledged write is looked for on the shard's primary and, since it may be promoted next, on whoever else holds it. */
async function ledgerChecks(aftermath: Aftermath): Promise<readonly Check[]> {
  const missing: string[] = [];
  const undead: string[] = [];
  const lost = new Set<string>();
  const { mayBeLost } = aftermath;
  let checked = 0;
  for (const shard of aftermath.shards) {
    const untilMs = aftermath.mayLackAfterMs.get(shard.id) ?? Number.POSITIVE_INFINITY;
    const rows = new Map(
      aftermath.records.filter(
        ([, record]) => record.shard === shardNumber(shard.id) && record.acknowledgedAtMs < untilMs,
      ),
    );
    for (const nodeId of holdersOf(aftermath, shard)) {
      const server = serverOf(aftermath, nodeId);
      if (server !== undefined) {
        const found = await aftermath.data.stateOf(server, shard, [...rows.keys()]);
        const verdict = compareWithLedger(
          rows,
          found,
          aftermath.data.words,
          mayBeLost?.shards.includes(shardNumber(shard.id)) === true ? mayBeLost.span : null,
        );
        missing.push(...verdict.missing);
        undead.push(...verdict.undead);
        verdict.lost.forEach((row) => lost.add(row));
        checked += verdict.checked;
      }
    }
  }
  const some = (list: readonly string[]) => (list.length === 0 ? '0' : `${list.length}, such as ${list[0] ?? ''}`);
  // Data with no row that anybody could write has nothing to lose.
  const looked = checked > 0 || aftermath.records.length === 0;
  return [
    { name: 'acknowledged writes missing', ok: missing.length === 0 && looked, expected: '0', got: some(missing) },
    { name: 'deleted rows that came back', ok: undead.length === 0 && looked, expected: '0', got: some(undead) },
    ...(mayBeLost === null ? [] : [lossCheck(mayBeLost.span, [...lost])]),
  ];
}

/** What is lost here is in neither of the other two. That it lies within the bound is how it was found. */
function lossCheck({ fromMs, toMs }: TimeSpan, lost: readonly string[]): Check {
  const boundMs = toMs - fromMs;
  return {
    name: 'writes lost within the bound of the evidence',
    ok: boundMs >= 0,
    expected: `only of the ${(boundMs / 1_000).toFixed(1)} s before the fence`,
    got: lost.length === 0 ? '0' : `${lost.length}, such as ${lost[0] ?? ''}`,
  };
}

/** No server but the one that the registry names accepts a shard's writes; it does, unless it is dead. */
async function writerCheck(aftermath: Aftermath): Promise<Check> {
  const writers = new Map<string, string[]>();
  for (const server of aftermath.servers) {
    for (const shard of await writableShards(server)) {
      writers.set(shard, [...(writers.get(shard) ?? []), server.nodeId]);
    }
  }
  const wrong = aftermath.shards.flatMap((shard) => {
    const expected = serverOf(aftermath, shard.primary) === undefined ? 'nobody' : shard.primary;
    const got = writers.get(shard.id)?.join(' and ') ?? 'nobody';
    return got === expected ? [] : [`${shard.id}: ${got} instead of ${expected}`];
  });
  const right = check(
    'shards written only where the registry says',
    aftermath.shards.length,
    aftermath.shards.length - wrong.length,
  );
  return wrong.length === 0 ? right : { ...right, got: `${right.got}; ${wrong.join(', ')}` };
}
