/** A key or index that a statement builds. Names as the catalogs have them. */
export interface BuildTarget {
  readonly kind: 'constraint' | 'index';
  readonly schema: string;
  readonly table: string;
  readonly name: string;
}

const identifier = String.raw`("(?:[^"]|"")+"|[^\s".(]+)`;
const constraint = new RegExp(
  String.raw`^ALTER TABLE ONLY ${identifier}\.${identifier} ADD CONSTRAINT ${identifier} (?:PRIMARY KEY|UNIQUE|EXCLUDE)\b`,
);
const index = new RegExp(String.raw`^CREATE (?:UNIQUE )?INDEX ${identifier} ON ${identifier}\.${identifier} `);

/**
 * What a statement of a SchemaDescription builds, or null when it builds no key or index of a table with rows. Knows the
 * forms that descriptions use, not SQL.
 */
export function buildTarget(statement: string): BuildTarget | null {
  const byConstraint = constraint.exec(statement);
  if (byConstraint !== null) {
    const [, schema, table, name] = byConstraint;
    return { kind: 'constraint', schema: plain(schema), table: plain(table), name: plain(name) };
  }
  const byIndex = index.exec(statement);
  if (byIndex !== null) {
    const [, name, schema, table] = byIndex;
    return { kind: 'index', schema: plain(schema), table: plain(table), name: plain(name) };
  }
  return null;
}

/** The name without its quotes. */
function plain(quoted = ''): string {
  return quoted.startsWith('"') ? quoted.slice(1, -1).replaceAll('""', '"') : quoted;
}
