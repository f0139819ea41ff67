import * as z from 'zod';
import { lz4 } from '../../adapters/codec';
import { backups, databases, registry, settings, stepPorts } from '../../adapters/ports';
import { noteName, noteOf } from '../../core/backup/chunk-notes';
import type { Codec } from '../../core/backup/codec';
import { notingFailure } from '../../core/backup/failure-notes';
import { BackupKeys } from '../../core/backup/object-keys';
import { plannedChunkSchema, type PlannedChunk } from '../../core/backup/plan';
import { sha256Of } from '../../core/backup/stored-object';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly backups: Objects;
  readonly databases: Pick<DatabaseEngine, 'readRange'>;
  readonly codec: Codec;
}

const inputSchema = z.strictObject({ cluster: z.string(), backup: z.string(), chunk: plannedChunkSchema });
type Input = z.infer<typeof inputSchema>;

/** A range may have grown since it was planned, up to so many times. */
const growthAllowed = 8;

/**
 * Reads one range and stores it, compressed, then a note of what was stored. A repeated call that finds the note does
 * nothing; one that finds only the object replaces it, for nobody has spoken of it yet. Holds one chunk in memory.
 */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'back-up-chunk', input: inputSchema, effect: 'changes' }, async (input) => {
    const keys = new BackupKeys(input.cluster, input.backup);
    await notingFailure(ports.backups, keys.failures, input.chunk.number, () => backUp(ports, keys, input));
    return null;
  });

async function backUp(ports: Ports, keys: BackupKeys, { cluster, chunk }: Input): Promise<void> {
  if (await isWritten(ports.backups, keys, chunk)) {
    return;
  }
  const { bytesPerChunk } = (await ports.settings.cluster(cluster)).backup;
  const addresses = new AddressBook(new ClusterRegistry(ports.registry), ports.settings);
  const { body, rows } = await ports.databases.readRange(await addresses.of(cluster, chunk.readFrom), {
    range: chunk.range,
    columns: chunk.columns,
    maxBytes: bytesPerChunk * growthAllowed,
  });
  const stored = await ports.codec.compress(body);
  await ports.backups.write(chunk.key, stored);
  const note = {
    number: chunk.number,
    rows,
    rawBytes: body.length,
    storedBytes: stored.length,
    sha256: sha256Of(stored),
  };
  await ports.backups.write(`${keys.noteFolder('written', chunk.shard)}${noteName(note)}`, Buffer.alloc(0));
}

async function isWritten(objects: Objects, keys: BackupKeys, chunk: PlannedChunk): Promise<boolean> {
  for await (const { key } of objects.list(keys.notesOf(chunk))) {
    return noteOf(key) !== null;
  }
  return false;
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  backups: backups(),
  databases: databases(),
  codec: lz4,
});
