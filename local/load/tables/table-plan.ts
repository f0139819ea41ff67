/** A column of a table that nobody has told us about. */
export interface ColumnShape {
  readonly name: string;
  /** In SQL, with its length: what a key's text is cast to. */
  readonly type: string;
  /** The name in pg_type of its type; for a domain of the type below it, for an array of the array. */
  readonly baseType: string;
  readonly generated: boolean;
  readonly identity: 'always' | 'by default' | null;
  /** Its default is the next value of a sequence. */
  readonly fromSequence: boolean;
}

export interface TableShape {
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly ColumnShape[];
  /** The primary key's columns in its order. */
  readonly key: readonly string[];
  /** The columns of each unique or exclusion index, the primary key's included; null: an expression, which can't be made new on purpose. */
  readonly uniques: readonly (readonly string[] | null)[];
  /** Columns that refer to other rows. */
  readonly references: readonly string[];
}

/** How a new row gets a column that must be new: by its own default, or with a value that no row has. */
export type Filler = 'default' | 'integer' | 'uuid' | 'text';

/** What a load may do to a table's rows. */
export interface TablePlan {
  readonly shape: TableShape;
  /** Columns that an update may change, and to what; `self` rewrites a value as it is. */
  readonly updates: readonly { readonly column: string; readonly change: Change }[];
  /** The columns of a copied row that are made new; null: no row can be inserted, for `leftOut`'s reason. */
  readonly fillers: ReadonlyMap<string, Filler> | null;
  /** What the load leaves alone, and why. */
  readonly leftOut: readonly string[];
}

export type Change = 'number' | 'text' | 'boolean' | 'second' | 'day' | 'self';

const changes: Readonly<Record<string, Change>> = {
  int2: 'number',
  int4: 'number',
  int8: 'number',
  numeric: 'number',
  float4: 'number',
  float8: 'number',
  text: 'text',
  varchar: 'text',
  bool: 'boolean',
  timestamp: 'second',
  timestamptz: 'second',
  date: 'day',
};

const fillers: Readonly<Record<string, Filler>> = {
  int2: 'integer',
  int4: 'integer',
  int8: 'integer',
  numeric: 'integer',
  uuid: 'uuid',
  text: 'text',
  varchar: 'text',
  citext: 'text',
};

/** Decides what can be written to a table of which only the catalogs tell. What its constraints say to it, the server tells. */
export function planTable(shape: TableShape): TablePlan {
  const leftOut: string[] = [];
  const updates = planUpdates(shape);
  if (updates.length === 0) {
    leftOut.push('updates: every column is computed by the server');
  }
  const made = planFillers(shape);
  if (typeof made === 'string') {
    leftOut.push(`inserts: ${made}`);
  }
  return { shape, updates, fillers: typeof made === 'string' ? null : made, leftOut };
}

/** Values are changed where that disturbs nothing: not in keys, references and unique columns, which are only rewritten. */
function planUpdates(shape: TableShape): TablePlan['updates'] {
  const delicate = new Set([...shape.key, ...shape.references, ...shape.uniques.flatMap((unique) => unique ?? [])]);
  const free = shape.columns.filter((column) => !column.generated && column.identity !== 'always');
  const plain = free.filter(({ name }) => !shape.key.includes(name));
  return (plain.length > 0 ? plain : free).map(({ name, baseType }) => ({
    column: name,
    change: delicate.has(name) ? 'self' : (changes[baseType] ?? 'self'),
  }));
}

/** One column of each unique index is made new; the reason in words when that can't be. */
function planFillers(shape: TableShape): ReadonlyMap<string, Filler> | string {
  const made = new Map<string, Filler>();
  const byName = new Map(shape.columns.map((column) => [column.name, column]));
  for (const unique of shape.uniques) {
    if (unique === null || unique.some((name) => made.has(name))) {
      continue;
    }
    const options = unique.flatMap((name) => {
      const column = byName.get(name);
      const filler = column === undefined || shape.references.includes(name) ? undefined : fillerOf(column);
      return filler === undefined ? [] : [[name, filler] as const];
    });
    const best = options.find(([, filler]) => filler === 'default') ?? options[0];
    if (best === undefined) {
      return `no new value can be made for (${unique.join(', ')}), which must be unique`;
    }
    made.set(...best);
  }
  return made;
}

function fillerOf(column: ColumnShape): Filler | undefined {
  if (column.generated) {
    return undefined;
  }
  return column.identity !== null || column.fromSequence ? 'default' : fillers[column.baseType];
}
