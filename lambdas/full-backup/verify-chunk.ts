import * as z from 'zod';
import { lz4 } from '../../adapters/codec';
import { backups, databases, registry, settings, stepPorts } from '../../adapters/ports';
import { noteOf, type ChunkNote } from '../../core/backup/chunk-notes';
import type { Codec } from '../../core/backup/codec';
import { writeJson } from '../../core/backup/json-object';
import { notingFailure } from '../../core/backup/failure-notes';
import { BackupKeys, padded } from '../../core/backup/object-keys';
import { plannedChunkSchema, type PlannedChunk } from '../../core/backup/plan';
import { sha256Of, unpack } from '../../core/backup/stored-object';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import { isRejoinError, messageOf, RejoinError } from '../../core/errors';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly backups: Objects;
  readonly databases: Pick<DatabaseEngine, 'checkRows'>;
  readonly codec: Codec;
}

const inputSchema = z.strictObject({ cluster: z.string(), backup: z.string(), chunk: plannedChunkSchema });
type Input = z.infer<typeof inputSchema>;

/**
 * Reads a chunk back and checks its hash; the first chunk of each table is loaded into a temporary table,
 * which shows whether its rows fit. What is found is noted, so that one damaged chunk does not hide others.
 */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'verify-chunk', input: inputSchema, effect: 'changes' }, async (input) => {
    const keys = new BackupKeys(input.cluster, input.backup);
    try {
      await notingFailure(ports.backups, keys.failures, input.chunk.number, () => verify(ports, keys, input));
    } catch (thrown) {
      if (!isDamage(thrown)) {
        throw thrown;
      }
      const key = `${keys.noteFolder('damaged', input.chunk.shard)}${padded(input.chunk.number)}`;
      await writeJson(ports.backups, key, { reason: messageOf(thrown) });
    }
    return null;
  });

/** Not an error that passes by itself, nor one of ours. */
function isDamage(thrown: unknown): boolean {
  return (['ChunkDamaged', 'ManifestMismatch', 'SqlFailed'] as const).some((name) => isRejoinError(thrown, name));
}

async function verify(ports: Ports, keys: BackupKeys, { cluster, chunk }: Input): Promise<void> {
  const notes = await readNotes(ports.backups, keys, chunk);
  const stored = await ports.backups.read(chunk.key).catch((thrown: unknown) => {
    throw isRejoinError(thrown, 'NotFound')
      ? new RejoinError('ChunkDamaged', `object '${chunk.key}' is missing`, { cause: thrown })
      : thrown;
  });
  const [first] = notes;
  if (first === undefined) {
    throw new RejoinError('ManifestMismatch', `chunk '${chunk.key}' has no note of its writing`);
  }
  // Two calls may have written it; the manifest has the one whose object is there.
  const sha256 = sha256Of(stored);
  const note = notes.find((found) => found.sha256 === sha256) ?? first;
  const body = await unpack(ports.codec, { ...note, key: chunk.key }, stored);
  if (chunk.tried) {
    await tryToLoad(ports, cluster, { chunk, body, rows: note.rows });
  }
}

async function tryToLoad(
  ports: Ports,
  cluster: string,
  tried: { readonly chunk: PlannedChunk; readonly body: Buffer; readonly rows: number },
): Promise<void> {
  const { chunk, body, rows } = tried;
  const clusters = new ClusterRegistry(ports.registry);
  const addresses = new AddressBook(clusters, ports.settings);
  const loadOn = async (nodeId: string): Promise<number> =>
    ports.databases.checkRows(await addresses.of(cluster, nodeId), {
      range: chunk.range,
      columns: chunk.columns,
      body,
    });
  const loaded = await loadOn(chunk.readFrom).catch(async (thrown: unknown) => {
    if (!isRejoinError(thrown, 'SqlUnavailable')) {
      throw thrown;
    }
    // The node that was read may have failed since; any owner has the tables.
    return loadOn((await clusters.shard(cluster, chunk.shard)).primary);
  });
  if (loaded !== rows) {
    throw new RejoinError('ChunkDamaged', `object '${chunk.key}' loads as ${loaded} rows, written were ${rows}`);
  }
}

async function readNotes(objects: Objects, keys: BackupKeys, chunk: PlannedChunk): Promise<readonly ChunkNote[]> {
  const notes: ChunkNote[] = [];
  for await (const { key } of objects.list(keys.notesOf(chunk))) {
    const note = noteOf(key);
    if (note !== null) {
      notes.push(note);
    }
  }
  return notes;
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  backups: backups(),
  databases: databases(),
  codec: lz4,
});
