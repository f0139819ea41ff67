import type { Client } from 'pg';
import { ByteWriter } from '../../../core/changes/byte-writer';
import { endCopyLine, nextCopyField, writeCopyFields } from '../../../core/changes/copy-text';
import type { IncompleteRow } from '../../../core/changes/compaction';
import { valueKind, type Tuple } from '../../../core/changes/pgoutput';
import { copyIn } from '../copy';
import type { TargetTable } from './target-table';

/**
 * Temporary tables that rows of one target table pass through; each exists from its first use until the session ends, and is
 * empty after each transaction. Their columns are `c0`, `c1`, … in the source's order, in the types below any domain,
 * because a domain may refuse the nulls that stand for missing values.
 *
 * - `rows`: complete rows. `keys`: keys of rows to delete.
 * - `partial`, `in_place`: rows with values missing; `missing` has a `1` at the place of each missing column.
 * - `bases`: for the partial row `number`, keys under which the missing values may be, best first by `rank`.
 */
export class Staging {
  private readonly made = new Set<string>();

  constructor(
    private readonly client: Client,
    /** Makes the names of this target's tables differ from those of others in the session. */
    private readonly number: number,
    private readonly target: TargetTable,
  ) {}

  async rows(body: Buffer, tuples: readonly Tuple[]): Promise<string> {
    const all = this.target.columns.map((_, place) => place);
    const writer = new ByteWriter();
    for (const tuple of tuples) {
      writeCopyFields(writer, body, tuple, all);
      endCopyLine(writer);
    }
    return this.fill('rows', stageColumns(this.target, all), writer);
  }

  async keys(body: Buffer, tuples: readonly Tuple[]): Promise<string> {
    const { keyPositions } = this.target;
    const writer = new ByteWriter();
    for (const tuple of tuples) {
      writeCopyFields(writer, body, tuple, keyPositions);
      endCopyLine(writer);
    }
    return this.fill('keys', stageColumns(this.target, keyPositions), writer);
  }

  async partial(kind: 'partial' | 'in_place', body: Buffer, tuples: readonly Tuple[]): Promise<string> {
    const all = this.target.columns.map((_, place) => place);
    const writer = new ByteWriter();
    tuples.forEach((tuple, number) => {
      writer.text(`${number}`);
      nextCopyField(writer);
      for (const at of tuple) {
        writer.text(body[at] === valueKind.unchanged ? '1' : '0');
      }
      nextCopyField(writer);
      writeCopyFields(writer, body, tuple, all);
      endCopyLine(writer);
    });
    return this.fill(kind, ['number int', 'missing text', ...stageColumns(this.target, all)], writer);
  }

  async bases(body: Buffer, rows: readonly IncompleteRow[]): Promise<string> {
    const { keyPositions } = this.target;
    const writer = new ByteWriter();
    rows.forEach(({ bases }, number) => {
      bases.forEach((base, rank) => {
        writer.text(`${number}\t${rank}`);
        nextCopyField(writer);
        writeCopyFields(writer, body, base, keyPositions);
        endCopyLine(writer);
      });
    });
    return this.fill('bases', ['number int', 'rank int', ...stageColumns(this.target, keyPositions)], writer);
  }

  /** Fills the table of that kind, and makes it at the first time. @returns its name */
  private async fill(kind: string, columns: readonly string[], writer: ByteWriter): Promise<string> {
    const name = `pg_temp.rejoin_${kind}_${this.number}`;
    if (!this.made.has(kind)) {
      await createStage(this.client, name, columns);
      this.made.add(kind);
    }
    await copyIn(this.client, `COPY ${name} FROM STDIN`, writer.written());
    return name;
  }
}

/** Definitions of columns for values of these of the target's columns. */
export function stageColumns(target: TargetTable, places: readonly number[]): string[] {
  const { columns, keyPositions } = target;
  return places.map((place) => {
    const column = columns[place];
    // Keys are compared with the target's, which needs the same collation.
    const collation = keyPositions.includes(place) ? (column?.collation ?? null) : null;
    return `c${place} ${column?.baseType ?? ''}${collation === null ? '' : ` COLLATE ${collation}`}`;
  });
}

export async function createStage(client: Client, name: string, columns: readonly string[]): Promise<void> {
  await client.query(`CREATE TEMP TABLE ${name} (${columns.join(', ')}) ON COMMIT DELETE ROWS`);
}
