/** Neighbouring rows, as they were found in the order of their keys. */
export interface RowGroup {
  /** The key of the first of them. */
  readonly firstKey: readonly string[];
  readonly rows: number;
  readonly bytes: number;
}

/**
 * Merges neighbouring groups into ranges within both limits, where groups are; a group beyond them stays alone.
 *
 * @returns the keys at which ranges after the first begin
 */
export function mergeGroups(
  groups: readonly RowGroup[],
  limits: { readonly rows: number; readonly bytes: number },
): readonly (readonly string[])[] {
  const cuts: (readonly string[])[] = [];
  let [rows, bytes] = [0, 0];
  for (const group of groups) {
    if (rows > 0 && (rows + group.rows > limits.rows || bytes + group.bytes > limits.bytes)) {
      cuts.push(group.firstKey);
      [rows, bytes] = [0, 0];
    }
    rows += group.rows;
    bytes += group.bytes;
  }
  return cuts;
}
