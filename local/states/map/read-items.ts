import { gunzipSync } from 'node:zlib';
import type { Json, JsonObject } from '../../../core/json';
import type { ItemReader } from '../definition';
import { StateFailure } from '../failure';
import { isJsonObject } from '../template';
import type { ItemSource, ListedObject } from '../world';
import { readCsv } from './read-csv';

const failed = (cause: string): StateFailure => new StateFailure('States.ItemReaderFailed', cause);

/**
 * The items that a distributed map's ItemReader reads.
 *
 * @param args the evaluated Arguments of the reader
 * @param maxItems null or 0: all
 * @throws StateFailure States.ItemReaderFailed
 */
export async function readItems(
  reader: ItemReader,
  args: Json,
  maxItems: number | null,
  objects: ItemSource,
): Promise<readonly Json[]> {
  if (maxItems !== null && maxItems < 0) {
    throw failed('field MaxItems must be positive');
  }
  try {
    const items = await readAll(reader, args, objects);
    return maxItems === null || maxItems === 0 ? items : items.slice(0, maxItems);
  } catch (thrown) {
    if (thrown instanceof StateFailure) {
      throw thrown;
    }
    throw failed(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

async function readAll(reader: ItemReader, args: Json, objects: ItemSource): Promise<readonly Json[]> {
  const bucket = textOf(args, 'Bucket');
  if (reader.source === 'listObjectsV2') {
    const prefix = isJsonObject(args) && Object.hasOwn(args, 'Prefix') ? textOf(args, 'Prefix') : '';
    return (await objects.listObjects(bucket, prefix)).map(describeObject);
  }
  const body = await objects.getObject(bucket, textOf(args, 'Key'));
  switch (reader.inputType) {
    case 'JSON':
      return readJson(body);
    case 'JSONL':
      return readJsonLines(body);
    case 'CSV':
      return readTable(body.toString('utf8'), reader);
    case 'MANIFEST':
      return readInventory(body, objects);
    case null:
      throw failed('the reader has no InputType');
  }
}

/** A text that the reader's Arguments, or a manifest, must have. */
function textOf(holder: Json, name: string): string {
  const value = isJsonObject(holder) ? holder[name] : undefined;
  if (typeof value !== 'string' || value === '') {
    throw failed(`the item reader needs the text '${name}', but it is ${JSON.stringify(value)}`);
  }
  return value;
}

/** As AWS hands on an object of a listing. */
const describeObject = (object: ListedObject): JsonObject => ({
  Etag: object.etag,
  Key: object.key,
  LastModified: Math.floor(object.writtenAtMs / 1000),
  Size: object.sizeBytes,
  StorageClass: 'STANDARD',
});

function readJson(body: Buffer): readonly Json[] {
  const value = JSON.parse(body.toString('utf8')) as Json;
  if (!Array.isArray(value)) {
    throw failed('Attempting to map over non-iterable node.');
  }
  return value as readonly Json[];
}

const readJsonLines = (body: Buffer): readonly Json[] =>
  body
    .toString('utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as Json);

/** Short rows are filled with empty texts, cells beyond the headers are dropped. */
function readTable(text: string, reader: ItemReader): readonly Json[] {
  const records = readCsv(text.replace(/^\uFEFF/, ''), reader.csvDelimiter);
  const headers = reader.csvHeaders ?? records[0] ?? [];
  if (new Set(headers).size < headers.length) {
    throw failed('CSV headers cannot contain duplicates.');
  }
  const rows = reader.csvHeaders === null ? records.slice(1) : records;
  return rows.map((row) => Object.fromEntries(headers.map((header, index) => [header, row[index] ?? ''])));
}

/** An S3 inventory: a manifest that names gzipped CSV files without headers, and what their columns are. */
async function readInventory(body: Buffer, objects: ItemSource): Promise<readonly Json[]> {
  const manifest = JSON.parse(body.toString('utf8')) as Json;
  if (!isJsonObject(manifest) || typeof manifest['fileSchema'] !== 'string' || !Array.isArray(manifest['files'])) {
    throw failed('the manifest is no S3 inventory manifest: it needs fileSchema, files and destinationBucket');
  }
  if (manifest['fileFormat'] !== 'CSV') {
    throw failed(`the inventory's fileFormat is ${JSON.stringify(manifest['fileFormat'])}; supported: CSV`);
  }
  const bucket = textOf(manifest, 'destinationBucket').replace(/^arn:aws(?:-[a-z]+)*:s3:::/, '');
  const headers = manifest['fileSchema'].split(',').map((name) => name.trim());
  const items: Json[] = [];
  for (const file of manifest['files'] as readonly Json[]) {
    const bytes = await objects.getObject(bucket, textOf(file, 'key'));
    for (const row of readCsv(gunzipSync(bytes).toString('utf8'), ',')) {
      items.push(Object.fromEntries(headers.map((header, index) => [header, row[index] ?? ''])));
    }
  }
  return items;
}
