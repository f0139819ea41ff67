import { padded, runFolder } from '../backup/object-keys';

/** One comparison of one shard. */
export interface ComparisonPlace {
  readonly shard: string;
  readonly attempt: number;
  readonly round: number;
}

/** Where one restore keeps what is too large for a state. All of it is removed with the old backups. */
export class RunKeys {
  constructor(
    private readonly cluster: string,
    private readonly execution: string,
  ) {}

  get folder(): string {
    return runFolder(this.cluster, this.execution);
  }

  /** The work order of the newest attempt. */
  get work(): string {
    return `${this.folder}work.json`;
  }

  /** The items of the map that loads rows. */
  get items(): string {
    return `${this.folder}items.json`;
  }

  schema(shard: string): string {
    return `${this.folder}schema/${shard}.json`;
  }

  /** Notes of the items that were loaded, one an empty object each. */
  get loaded(): string {
    return `${this.folder}loaded/`;
  }

  /** Notes of why items could not be loaded. */
  get failures(): string {
    return `${this.folder}failed/`;
  }

  /** The ranges by which a shard is compared. */
  ranges(shard: string): string {
    return `${this.folder}compare/${shard}.json`;
  }

  /** The ranges of a shard that were found unequal in a round, one an object each. */
  unequal(comparison: ComparisonPlace): string {
    const { shard, attempt, round } = comparison;
    return `${this.folder}unequal/${shard}/${attempt}/${round}/`;
  }

  unequalRange(comparison: ComparisonPlace, number: number): string {
    return `${this.unequal(comparison)}${padded(number)}.json`;
  }
}
