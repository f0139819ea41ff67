import type { DistributedMode, ItemBatcher, ItemReader, MapState, ResultWriter, StateGraph } from '../definition';
import type { Fields } from './fields';
import { readEffects } from './read-effects';
import { readRecovery } from './read-recovery';

export const mapFields = [
  'Items',
  'ItemReader',
  'ItemSelector',
  'ItemBatcher',
  'ItemProcessor',
  'MaxConcurrency',
  'ToleratedFailureCount',
  'ToleratedFailurePercentage',
  'ResultWriter',
  'Label',
];

const delimiters: Readonly<Record<'COMMA' | 'PIPE' | 'SEMICOLON' | 'SPACE' | 'TAB', string>> = {
  COMMA: ',',
  PIPE: '|',
  SEMICOLON: ';',
  SPACE: ' ',
  TAB: '\t',
};

/** AWS reads at most this many items of one data set. */
const maxItemsLimit = 100_000_000;

/** Fields that only a distributed map has. */
const distributedFields = ['ItemReader', 'ItemBatcher', 'ResultWriter', 'Label'];

type MapBody = Omit<MapState, 'name' | 'type' | 'next'>;

/** @param processor what ItemProcessor holds beside its ProcessorConfig, as read by the caller */
export function readMap(fields: Fields, processor: StateGraph, machineType: 'STANDARD' | 'EXPRESS'): MapBody {
  const distributed = readMode(fields, machineType);
  if (fields.has('Items') && fields.has('ItemReader')) {
    fields.problem(`has both 'Items' and 'ItemReader'; keep one of them`);
  }
  const items = fields.template('Items');
  if (items?.kind === 'literal' && !Array.isArray(items.value)) {
    fields.problem(`field 'Items' must be a list or an expression, but is ${JSON.stringify(items.value)}`);
  }
  return {
    items,
    itemSelector: fields.template('ItemSelector'),
    maxConcurrency: fields.numberField('MaxConcurrency', { least: 0, most: 100_000_000, whole: true }),
    toleratedFailureCount: fields.numberField('ToleratedFailureCount', { least: 0, most: maxItemsLimit, whole: true }),
    toleratedFailurePercentage: fields.numberField('ToleratedFailurePercentage', { least: 0, most: 100, whole: false }),
    processor,
    distributed,
    ...readRecovery(fields),
    ...readEffects(fields),
  };
}

function readMode(fields: Fields, machineType: 'STANDARD' | 'EXPRESS'): DistributedMode | null {
  const config = fields.object('ItemProcessor')?.object('ProcessorConfig') ?? null;
  config?.allowOnly(['Mode', 'ExecutionType']);
  const mode = config?.oneOf('Mode', ['INLINE', 'DISTRIBUTED']) ?? 'INLINE';
  if (config === null || mode === 'INLINE') {
    if (config?.has('ExecutionType') === true) {
      config.problem(`field 'ExecutionType' needs Mode 'DISTRIBUTED'`);
    }
    for (const name of distributedFields.filter((each) => fields.has(each))) {
      fields.problem(
        `field '${name}' needs a distributed map: set ItemProcessor.ProcessorConfig.Mode to 'DISTRIBUTED'`,
      );
    }
    return null;
  }
  if (machineType === 'EXPRESS') {
    fields.problem(`a distributed map needs a STANDARD state machine`);
  }
  const executionType = config.oneOf('ExecutionType', ['STANDARD', 'EXPRESS']);
  if (!config.has('ExecutionType')) {
    config.problem(`field 'ExecutionType' is missing; supported: 'STANDARD', 'EXPRESS'`);
  }
  return {
    executionType: executionType ?? 'STANDARD',
    label: readLabel(fields),
    itemReader: readItemReader(fields.object('ItemReader')),
    itemBatcher: readItemBatcher(fields.object('ItemBatcher')),
    resultWriter: readResultWriter(fields.object('ResultWriter')),
  };
}

function readLabel(fields: Fields): string | null {
  const label = fields.text('Label');
  if (label !== null && (label.length > 40 || /[\s?*<>{}[\]:;,\\|^~$#%&`"\u0000-\u001f\u007f-\u009f]/.test(label))) {
    fields.problem(
      `field 'Label' is '${label}'; it may have at most 40 characters, and no spaces, wildcards, brackets or other special ones`,
    );
  }
  return label;
}

function readItemReader(fields: Fields | null): ItemReader | null {
  if (fields === null) {
    return null;
  }
  fields.allowOnly(['Resource', 'Arguments', 'ReaderConfig']);
  const source = readS3Resource(fields, ['getObject', 'listObjectsV2']);
  const config = fields.object('ReaderConfig');
  config?.allowOnly(['InputType', 'CSVHeaderLocation', 'CSVHeaders', 'CSVDelimiter', 'MaxItems']);
  const inputType = config?.oneOf('InputType', ['JSON', 'JSONL', 'CSV', 'MANIFEST']) ?? null;
  if (source === 'getObject' && inputType === null && config?.has('InputType') !== true) {
    fields.problem(`ReaderConfig: field 'InputType' is missing; supported: 'JSON', 'JSONL', 'CSV', 'MANIFEST'`);
  }
  if (source === 'listObjectsV2' && inputType !== null) {
    fields.problem(`ReaderConfig: field 'InputType' has no meaning with s3:listObjectsV2`);
  }
  return {
    source,
    arguments: fields.template('Arguments') ?? missingArguments(fields),
    inputType,
    csvDelimiter: delimiters[config?.oneOf('CSVDelimiter', ['COMMA', 'PIPE', 'SEMICOLON', 'SPACE', 'TAB']) ?? 'COMMA'],
    csvHeaders: config === null || inputType !== 'CSV' ? null : readCsvHeaders(config),
    // A negative number is refused by AWS only when the map runs.
    maxItems: config?.numberField('MaxItems', { least: -maxItemsLimit, most: maxItemsLimit, whole: true }) ?? null,
  };
}

function readCsvHeaders(config: Fields): readonly string[] | null {
  const location = config.oneOf('CSVHeaderLocation', ['FIRST_ROW', 'GIVEN']);
  if (!config.has('CSVHeaderLocation')) {
    config.problem(`field 'CSVHeaderLocation' is missing; supported: 'FIRST_ROW', 'GIVEN'`);
  }
  const headers = config.value('CSVHeaders');
  if (location !== 'GIVEN') {
    if (headers !== undefined) {
      config.problem(`field 'CSVHeaders' needs CSVHeaderLocation 'GIVEN'`);
    }
    return null;
  }
  if (!Array.isArray(headers) || !headers.every((header) => typeof header === 'string')) {
    config.problem(`field 'CSVHeaders' must be a list of texts, but is ${JSON.stringify(headers)}`);
    return [];
  }
  return headers;
}

function readItemBatcher(fields: Fields | null): ItemBatcher | null {
  if (fields === null) {
    return null;
  }
  fields.allowOnly(['MaxItemsPerBatch', 'MaxInputBytesPerBatch', 'BatchInput']);
  if (!fields.has('MaxItemsPerBatch') && !fields.has('MaxInputBytesPerBatch')) {
    fields.problem(`needs 'MaxItemsPerBatch', 'MaxInputBytesPerBatch' or both`);
  }
  return {
    maxItemsPerBatch: fields.numberField('MaxItemsPerBatch', { least: 1, most: maxItemsLimit, whole: true }),
    maxInputBytesPerBatch: fields.numberField('MaxInputBytesPerBatch', { least: 1, most: 262_144, whole: true }),
    batchInput: fields.template('BatchInput'),
  };
}

function readResultWriter(fields: Fields | null): ResultWriter | null {
  if (fields === null) {
    return null;
  }
  fields.allowOnly(['Resource', 'Arguments', 'WriterConfig']);
  const config = fields.object('WriterConfig');
  config?.allowOnly(['Transformation', 'OutputType']);
  const exported = fields.has('Resource') || fields.has('Arguments');
  if (!exported && config === null) {
    fields.problem(`needs 'Resource' with 'Arguments', 'WriterConfig', or all three`);
  }
  if (exported) {
    readS3Resource(fields, ['putObject']);
  }
  return {
    arguments: exported ? (fields.template('Arguments') ?? missingArguments(fields)) : null,
    transformation: config?.oneOf('Transformation', ['NONE', 'COMPACT', 'FLATTEN']) ?? (exported ? 'NONE' : 'COMPACT'),
    outputType: config?.oneOf('OutputType', ['JSON', 'JSONL']) ?? 'JSON',
  };
}

function readS3Resource<T extends string>(fields: Fields, actions: readonly [T, ...T[]]): T {
  const resource = fields.requiredText('Resource');
  const action = actions.find((each) => new RegExp(`^arn:aws(-[a-z]+)*:states:::s3:${each}$`).test(resource));
  if (action === undefined && resource !== '') {
    fields.problem(
      `field 'Resource' is '${resource}'; supported: ${actions.map((each) => `'arn:aws:states:::s3:${each}'`).join(', ')}`,
    );
  }
  return action ?? actions[0];
}

function missingArguments(fields: Fields): { readonly kind: 'literal'; readonly value: null } {
  fields.problem(`field 'Arguments' is missing`);
  return { kind: 'literal', value: null };
}
