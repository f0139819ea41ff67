/** How much of a distributed map may fail. Both null: nothing. */
export interface Tolerance {
  readonly count: number | null;
  /** 0 to 100, of all items. */
  readonly percentage: number | null;
}

/** Whether a map run has failed; where both bounds are given, either of them fails it. */
export function exceedsTolerance({ count, percentage }: Tolerance, failedItems: number, totalItems: number): boolean {
  if (count === null && percentage === null) {
    return failedItems > 0;
  }
  const share = totalItems === 0 ? 0 : (failedItems / totalItems) * 100;
  return (count !== null && failedItems > count) || (percentage !== null && share > percentage);
}
