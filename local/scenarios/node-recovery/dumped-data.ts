import { resolve } from 'node:path';
import { RejoinError } from '../../../core/errors';
import { byteText } from '../../../core/evidence/words';
import { refusal } from '../../../core/preflight/judge';
import { summaryOf } from '../../../core/preflight/summary';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { shortSession, withSession } from '../../../engines/postgresql/connection';
import { checkDumpFile } from '../../../engines/postgresql/dump/dump-file';
import { loadDump, type LoadedDump } from '../../../engines/postgresql/dump/load-dump';
import { identifier, qualified } from '../../../engines/postgresql/identifier';
import { shardTables } from '../../../engines/postgresql/shard-tables';
import { postgresStructure } from '../../../engines/postgresql/structure/structure';
import type { DataTarget, RehearsedData } from './rehearsed-data';
import { statesOf } from './rows-by-key';

const lanes = 8;
/** Two owners and a replacement, each with rows, indexes and the log of what was loaded, and what the load adds. */
const copiesOnMachines = 8;
const progressEveryBytes = 67_108_864;

/**
 * The user's own data: a plain dump of one database as one shard of all its schemas.
 *
 * @throws InvalidInput when the file is no such dump
 */
export async function dumpedData(path: string, say: (line: string) => void): Promise<RehearsedData> {
  const file = resolve(path);
  const dumpBytes = await checkDumpFile(file);
  let first: Prepared | null = null;
  return {
    making: `loads ${file} (${byteText(dumpBytes)}) as one shard on two owners`,
    shardCount: 1,
    space: { machineBytes: copiesOnMachines * dumpBytes, runBytes: dumpBytes },
    fill: async (target) => {
      const loaded = await loadDump(target.source, target.owner, file, tellProgress(target.owner, say));
      first ??= await prepare(target, file, loaded, say);
      await openToApplication(target, first.schemas);
      return first.schemas;
    },
    load: () => ({ kind: 'tables', shard: 0, schemas: first?.schemas ?? [], lanes }),
    // The one whose loss stops writes.
    victim: ([primary]) => primary,
    harmlessWrite: () => first?.harmlessWrite ?? '',
    words: { row: 'row', state: 'content' },
    stateOf: (server, _shard, rows) => statesOf(server, rows),
    notes: () => first?.notes ?? [],
  };
}

interface Prepared {
  readonly schemas: readonly string[];
  readonly harmlessWrite: string;
  readonly notes: readonly string[];
}

/** What must be so before anything goes wrong: tables that are there, and nothing in them that can't be restored by rows. */
async function prepare(
  { source, owner }: DataTarget,
  file: string,
  loaded: LoadedDump,
  say: (line: string) => void,
): Promise<Prepared> {
  const tables = await withSession(source, owner, shortSession, (client) => shardTables(client, loaded.schemas));
  const [table] = tables;
  const peculiarities = await postgresStructure(source).preflight(owner, loaded.schemas);
  const refused = refusal(peculiarities);
  if (refused !== null) {
    throw new RejoinError('PreflightRefused', `the data of '${file}' can't be restored by rows: ${refused}`);
  }
  if (table === undefined) {
    throw new RejoinError(
      'InvalidInput',
      `the file '${file}' makes no table whose rows survive a crash, so there is nothing to recover; make a dump of a database with ordinary tables`,
    );
  }
  const handled = summaryOf(peculiarities).map((line) => `preflight: ${line}`);
  say(`  ${loaded.rows.toLocaleString('en')} rows in ${tables.length} tables of ${loaded.schemas.join(', ')}`);
  const notes = [...loaded.notes, ...handled];
  for (const note of notes) {
    say(`  ${note}`);
  }
  const name = qualified(table.schema, table.table);
  const column = identifier(table.keyColumns[0] ?? '');
  return {
    schemas: loaded.schemas,
    harmlessWrite: `UPDATE ONLY ${name} SET ${column} = ${column} WHERE ctid = (SELECT min(ctid) FROM ONLY ${name})`,
    notes,
  };
}

/** The application may do everything with the rows, also where policies would hide some of them from it. */
async function openToApplication(
  { source, owner, applicationRole }: DataTarget,
  schemas: readonly string[],
): Promise<void> {
  const role = identifier(applicationRole);
  const grants = schemas.map((schema) => {
    const name = identifier(schema);
    return `GRANT USAGE ON SCHEMA ${name} TO ${role};
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${name} TO ${role};
      GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA ${name} TO ${role};`;
  });
  await withSession(source, owner, shortSession, (client) =>
    client.query(`ALTER ROLE ${role} BYPASSRLS; ${grants.join('\n')}`),
  );
}

function tellProgress(
  owner: DatabaseAddress,
  say: (line: string) => void,
): (progress: { readonly readBytes: number; readonly totalBytes: number; readonly rows: number }) => void {
  let nextBytes = progressEveryBytes;
  return ({ readBytes, totalBytes, rows }) => {
    if (readBytes >= nextBytes) {
      nextBytes = readBytes + progressEveryBytes;
      say(`  ${owner.nodeId}: ${byteText(readBytes)} of ${byteText(totalBytes)}, ${rows.toLocaleString('en')} rows`);
    }
  };
}
