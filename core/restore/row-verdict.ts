import type { RowDigest } from '../ports/database-engine';

/** A row as one read found it; null: there is none. */
export type RowSeen = RowDigest | null;

/** One look at one key: the source before, then the target once it had applied what the source had, then the source again. */
export interface RowLook {
  readonly atMs: number;
  readonly before: RowSeen;
  readonly target: RowSeen;
  readonly after: RowSeen;
}

export type RowVerdict =
  /** The target has the row as the source had it. */
  | 'equal'
  /** It differs, and no change under way explains it. */
  | 'different'
  /** It has to be looked at again. */
  | 'open'
  /** It was looked at often enough; it changed under every look. */
  | 'unproved';

/** Looks that differ count as a proof only this far apart. */
export const proofDistanceMs = 2_000;
/** After the first look. */
export const maxRetries = 5;

/**
 * Judges a key from all looks at it, oldest first (rule 12). A difference is real when two looks, at least 2 s apart, found
 * the target different from one and the same version of the source's row. A row that was read in between changes proves
 * nothing and is read again.
 */
export function judgeRow(looks: readonly RowLook[]): RowVerdict {
  const last = looks.at(-1);
  if (last === undefined) {
    return 'open';
  }
  if (sameContent(last.target, last.before) || sameContent(last.target, last.after)) {
    return 'equal';
  }
  const differing = looks.filter((look) => isDifference(look) && sameVersion(look.after, last.after));
  const first = differing[0];
  if (isDifference(last) && first !== undefined && last.atMs - first.atMs >= proofDistanceMs) {
    return 'different';
  }
  return looks.length > maxRetries ? 'unproved' : 'open';
}

/** The source's row stood still during the look, and the target had something else. */
function isDifference(look: RowLook): boolean {
  return sameVersion(look.before, look.after) && !sameContent(look.target, look.after);
}

function sameVersion(left: RowSeen, right: RowSeen): boolean {
  return left === null || right === null ? left === right : left.xmin === right.xmin && left.md5 === right.md5;
}

function sameContent(left: RowSeen, right: RowSeen): boolean {
  return left === null || right === null ? left === right : left.md5 === right.md5;
}
