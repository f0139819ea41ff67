import * as z from 'zod';
import { lz4 } from '../../adapters/codec';
import { backups, databases, registry, settings, stepPorts } from '../../adapters/ports';
import type { Codec } from '../../core/backup/codec';
import { notingFailure } from '../../core/backup/failure-notes';
import { unpack } from '../../core/backup/stored-object';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { Chunk } from '../../core/cluster/manifest';
import { isRejoinError, RejoinError } from '../../core/errors';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { loadNoteName, type LoadSource } from '../../core/restore/load-notes';
import { RunKeys } from '../../core/restore/run-keys';
import { replacementSchema, workItemSchema, type WorkItem } from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly backups: Objects;
  readonly databases: Pick<DatabaseEngine, 'loadRows' | 'readRange'>;
  readonly codec: Codec;
}

const inputSchema = z.strictObject({
  cluster: z.string(),
  /** The execution that restores: each item of a distributed map runs in one of its own. */
  execution: z.string(),
  attempt: z.int(),
  replacement: replacementSchema,
  item: workItemSchema,
  /** `survivor`: whatever the item says, its rows are read there, because its chunk is damaged. */
  from: z.enum(['the item', 'survivor']),
});
type Input = z.infer<typeof inputSchema>;

/** A range may have grown since it was planned, up to so many times. */
const growthAllowed = 8;

interface Rows {
  readonly body: Buffer;
  readonly rows: number;
  /** Moved to get them. */
  readonly bytes: number;
  readonly source: LoadSource;
}

/**
 * Loads one item's rows, from its chunk or from the survivor. Holds one item in memory, and loads it once however often it
 * is called.
 *
 * @throws ChunkDamaged when the chunk's object is missing or not as it was written
 */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'load-chunk', input: inputSchema, effect: 'changes' }, async (input) => {
    const { failures } = new RunKeys(input.cluster, input.execution);
    await notingFailure(ports.backups, failures, input.item.number, () => loadItem(ports, input));
    return null;
  });

async function loadItem(ports: Ports, input: Input): Promise<void> {
  const { item } = input;
  const addresses = new AddressBook(new ClusterRegistry(ports.registry), ports.settings);
  const rows =
    item.chunk !== null && input.from === 'the item'
      ? await readChunk(ports, item.chunk)
      : await readSurvivor(ports, addresses, input);
  await ports.databases.loadRows(await addresses.at(input.cluster, input.replacement), {
    loadId: item.loadId,
    shard: item.shard,
    range: item.range,
    columns: item.columns,
    body: rows.body,
  });
  await note(ports, input, rows);
}

async function readChunk(ports: Ports, chunk: Chunk): Promise<Rows> {
  let stored: Buffer;
  try {
    stored = await ports.backups.read(chunk.key);
  } catch (thrown) {
    if (isRejoinError(thrown, 'NotFound')) {
      throw new RejoinError('ChunkDamaged', `object '${chunk.key}' is missing`, { cause: thrown });
    }
    throw thrown;
  }
  const body = await unpack(ports.codec, chunk, stored);
  return { body, rows: chunk.rows, bytes: stored.length, source: 'backup' };
}

async function readSurvivor(ports: Ports, addresses: AddressBook, input: Input): Promise<Rows> {
  const { cluster, item } = input;
  const startedMs = ports.clock.nowMs();
  const { primary } = await new ClusterRegistry(ports.registry).shard(cluster, item.shard);
  const { backup } = await ports.settings.cluster(cluster);
  const { body, rows } = await ports.databases.readRange(await addresses.of(cluster, primary), {
    range: item.range,
    columns: item.columns,
    maxBytes: backup.bytesPerChunk * growthAllowed,
  });
  if (item.rowsPerSecond !== null) {
    // The survivor also serves; what it gives is paced, whatever it could give.
    const dueMs = startedMs + (rows * 1_000) / item.rowsPerSecond;
    await ports.clock.sleep(Math.max(0, dueMs - ports.clock.nowMs()));
  }
  return { body, rows, bytes: body.length, source: isReplaced(item, input.from) ? 'damaged' : 'survivor' };
}

/** Whether the survivor stands in for a chunk. */
function isReplaced(item: WorkItem, from: Input['from']): boolean {
  return item.damage !== null || from === 'survivor';
}

async function note(ports: Ports, input: Input, rows: Rows): Promise<void> {
  const name = loadNoteName({
    attempt: input.attempt,
    number: input.item.number,
    rows: rows.rows,
    bytes: rows.bytes,
    source: rows.source,
  });
  await ports.backups.write(`${new RunKeys(input.cluster, input.execution).loaded}${name}`, Buffer.alloc(0));
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  backups: backups(),
  databases: databases(),
  codec: lz4,
});
