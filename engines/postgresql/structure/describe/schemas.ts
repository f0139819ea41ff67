import type { Client } from 'pg';
import { identifier } from '../../identifier';
import { readExtensions } from './dependencies';

/** Statements that create the schemas, and the extensions that their objects need. */
export async function readSchemas(client: Client, schemas: readonly string[]): Promise<readonly string[]> {
  const extensions = await readExtensions(client, schemas);
  // The server makes its own schemas and refuses their names.
  const places = extensions.map(({ schema }) => schema).filter((schema) => !/^(pg_|information_schema$)/.test(schema));
  return [
    ...[...new Set([...schemas, ...places])]
      .sort()
      .map((schema) => `CREATE SCHEMA IF NOT EXISTS ${identifier(schema)}`),
    ...extensions.map(
      ({ schema, name }) => `CREATE EXTENSION IF NOT EXISTS ${identifier(name)} WITH SCHEMA ${identifier(schema)}`,
    ),
  ];
}
