export type Path = readonly (string | number)[];

/** Something wrong in rejoin.yaml, by path; `load` adds file, line and column. */
export interface Problem {
  readonly path: Path;
  /** Whether `path` names a key that should not be there: the key itself is then shown, not its value. */
  readonly atKey?: boolean;
  /** What was given, what is allowed, how to mend it. */
  readonly message: string;
}

/** `clusters.orders.nodes.node-1`. */
export function pathText(path: Path): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : part))
    .join('.')
    .replaceAll('.[', '[');
}

/** A value as it stands in the file, short. */
export function shown(value: unknown): string {
  if (typeof value === 'string') {
    return value.length > 60 ? `'${value.slice(0, 57)}...'` : `'${value}'`;
  }
  if (typeof value === 'number' || typeof value === 'boolean') {
    return String(value);
  }
  if (Array.isArray(value)) {
    return value.length === 0 ? 'an empty list' : 'a list';
  }
  return value === null || value === undefined ? 'nothing' : 'a group of fields';
}
