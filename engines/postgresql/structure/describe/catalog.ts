import { commitCheckName, statementCheckName } from '../../ownership/shard-checks';
import type { ObjectKind } from '../../../../core/structure/creation-order';

/** An object of a shard as the catalogs describe it, with the statements that create it again. */
export interface CatalogObject {
  /** `<catalog>:<oid>`: unique in one database, different in another one. */
  readonly id: string;
  readonly kind: ObjectKind;
  /** Its qualified name, quoted, with arguments where they belong to it. */
  readonly name: string;
  readonly statements: readonly string[];
}

/** SQL that leaves out what `CREATE EXTENSION` makes. */
export function notOfExtension(catalog: string, oid: string): string {
  return `NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = '${catalog}'::regclass AND x.objid = ${oid} AND x.deptype = 'e')`;
}

/** What Rejoin adds to a shard's tables is no part of the shard. */
export const rejoinTriggers: readonly string[] = [statementCheckName, commitCheckName];
