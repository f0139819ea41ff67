import { createHash } from 'node:crypto';

/** Step Functions takes no longer name. */
const maxLength = 80;

export interface ExecutionNameParts {
  readonly cluster: string;
  /** Null for a workflow about the whole cluster. */
  readonly nodeId: string | null;
  /** What started it, in a word: `alarm`, `machine`, `promoted`, `schedule`, `manual`. */
  readonly trigger: string;
  readonly atMs: number;
  /** How long the name stands for the same occasion. */
  readonly within: 'hour' | 'minute';
}

/**
 * `<cluster>-<node>-<trigger>-<UTC hour>`: `orders-node-3-alarm-20260102T03`. The same for every repetition of an
 * occasion, and names stay taken for 90 days, so that a repeated alarm starts nothing. At most 80 characters, of letters,
 * digits and `-`; a longer name is cut and gets a digest of what was cut, so that two never become one.
 */
export function executionName(parts: ExecutionNameParts): string {
  const digits = new Date(parts.atMs).toISOString().replaceAll(/[-:]/g, '');
  const bucket = digits.slice(0, parts.within === 'hour' ? 'YYYYMMDDTHH'.length : 'YYYYMMDDTHHMM'.length);
  const subject = [parts.cluster, parts.nodeId, parts.trigger]
    .filter((part) => part !== null)
    .join('-')
    .replaceAll(/[^A-Za-z0-9-]/g, '-');
  const whole = `${subject}-${bucket}`;
  if (whole.length <= maxLength) {
    return whole;
  }
  const digest = createHash('sha256').update(subject).digest('hex').slice(0, 8);
  const tail = `-${digest}-${bucket}`;
  return `${subject.slice(0, maxLength - tail.length)}${tail}`;
}
