import { createHash } from 'node:crypto';
import jsonata from 'jsonata';
import type { Clock, Random } from '../../core/ports/clock';
import { randomUuid } from './random-uuid';

const hashAlgorithms: Readonly<Record<string, string>> = {
  MD5: 'md5',
  'SHA-1': 'sha1',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
};

/** AWS refuses to build longer arrays. */
const rangeLimit = 1000;

const formatTime = jsonata('$fromMillis($ms, $picture, $zone)');

/** As JSONata reports a wrong argument: its own words for the code, with these values, become the message. */
class FunctionError extends Error {
  readonly code: 'T0410' | 'D2014';
  readonly token: string;
  /** The position of the argument, for T0410. */
  readonly index: number;
  readonly value: unknown;

  constructor(code: 'T0410' | 'D2014', token: string, details: { readonly index?: number; readonly value?: unknown }) {
    super(`${code} in ${token}`);
    this.name = 'FunctionError';
    this.code = code;
    this.token = token;
    this.index = details.index ?? 0;
    this.value = details.value;
  }
}

const wrongArgument = (index: number, token: string): FunctionError => new FunctionError('T0410', token, { index });

function integer(value: unknown, position: number, name: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    throw wrongArgument(position, name);
  }
  return value;
}

/**
 * Step Functions' additions to JSONata, and those of JSONata's own functions that read a clock or a random source, on the
 * given ones. An argument that is nothing gives nothing, as in all of JSONata.
 */
export function expressionFunctions(clock: Clock, random: Random): Readonly<Record<string, unknown>> {
  return {
    partition: (items: unknown, size: unknown) => partition(items, size),
    range: (first: unknown, last: unknown, step: unknown) => range(first, last, step),
    hash: (data: unknown, algorithm: unknown) => hash(data, algorithm),
    random: (seed: unknown) => (seed === undefined ? random.next() : seededRandom(integer(seed, 1, 'random'))),
    uuid: () => randomUuid(random),
    parse: (text: unknown) => parse(text),
    millis: () => clock.nowMs(),
    now: async (picture: unknown, zone: unknown): Promise<unknown> =>
      formatTime.evaluate(undefined, { ms: clock.nowMs(), picture, zone }),
    shuffle: (items: unknown) => shuffle(items, random),
  };
}

function partition(items: unknown, size: unknown): unknown {
  if (items === undefined || size === undefined) {
    return undefined;
  }
  const list: readonly unknown[] = Array.isArray(items) ? items : [items];
  const step = integer(size, 2, 'partition');
  if (step < 1) {
    throw wrongArgument(2, 'partition');
  }
  const parts: unknown[] = [];
  for (let from = 0; from < list.length; from += step) {
    parts.push(list.slice(from, from + step));
  }
  return parts;
}

function range(first: unknown, last: unknown, step: unknown): unknown {
  if (first === undefined || last === undefined || step === undefined) {
    return undefined;
  }
  const from = integer(first, 1, 'range');
  const to = integer(last, 2, 'range');
  const by = integer(step, 3, 'range');
  if (by === 0) {
    throw wrongArgument(3, 'range');
  }
  const count = Math.max(0, Math.floor((to - from) / by) + 1);
  if (count > rangeLimit) {
    throw new FunctionError('D2014', 'range', { value: count });
  }
  const values = Array.from({ length: count }, (_, index) => from + index * by);
  // Marked as JSONata marks its own sequences, so that a single value comes out bare, as on AWS.
  return count === 0 ? values : Object.defineProperty(values, 'sequence', { value: true, enumerable: false });
}

function hash(data: unknown, algorithm: unknown): unknown {
  if (data === undefined || algorithm === undefined) {
    return undefined;
  }
  const name = typeof algorithm === 'string' ? hashAlgorithms[algorithm] : undefined;
  if (name === undefined) {
    throw wrongArgument(2, 'hash');
  }
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return createHash(name).update(text, 'utf8').digest('hex');
}

function parse(text: unknown): unknown {
  if (text === undefined) {
    return undefined;
  }
  if (typeof text !== 'string') {
    throw wrongArgument(1, 'parse');
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Error(`the argument of $parse is not JSON: ${text}`);
  }
}

/** The same number in [0, 1) for the same seed. */
function seededRandom(seed: number): number {
  return createHash('sha256').update(String(seed)).digest().readUIntBE(0, 6) / 2 ** 48;
}

function shuffle(items: unknown, random: Random): unknown {
  if (!Array.isArray(items)) {
    return items === undefined ? undefined : [items];
  }
  const shuffled: unknown[] = [...(items as unknown[])];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(random.next() * (last + 1));
    [shuffled[last], shuffled[other]] = [shuffled[other], shuffled[last]];
  }
  return shuffled;
}
