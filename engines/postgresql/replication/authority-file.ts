import { DatabaseError, type Client } from 'pg';
import { literal } from '../identifier';

/** Where RDS keeps the bundle of its certificate authorities on an instance's host. */
const rdsAuthorityFile = '/rdsdbdata/rds-metadata/ca-cert.pem';
const fileName = 'rejoin-certificate-authority.pem';
const insufficientPrivilege = '42501';

/**
 * A server that follows another one reads the certificate authority from a file on its own host. Where we may, we write
 * it into the data directory by COPY, so that it goes wherever the data goes and needs no access to the host; RDS
 * doesn't allow that and has its own.
 *
 * @returns the file's path
 */
export async function placeAuthorityFile(client: Client, authority: string): Promise<string> {
  const directory = await client.query<{ path: string | null }>(
    `SELECT setting AS path FROM pg_settings WHERE name = 'data_directory'`,
  );
  const path = directory.rows[0]?.path ?? null;
  if (path === null) {
    return rdsAuthorityFile;
  }
  const lines = authority.split(/\r?\n/).filter((line) => line !== '');
  try {
    await client.query(
      `COPY (SELECT unnest(ARRAY[${lines.map(literal).join(', ')}]::text[])) TO ${literal(`${path}/${fileName}`)}`,
    );
    return `${path}/${fileName}`;
  } catch (thrown) {
    if (thrown instanceof DatabaseError && thrown.code === insufficientPrivilege) {
      return rdsAuthorityFile;
    }
    throw thrown;
  }
}
