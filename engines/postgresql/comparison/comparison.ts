import type { DatabaseComparison } from '../../../core/ports/database-engine';
import { rowSession, shortSession, withSession, type ConnectionSource } from '../connection';
import { checksum } from './checksum';
import { digests, rowDigests } from './digests';
import { repairRows } from './repair-rows';

export function postgresComparison(source: ConnectionSource): DatabaseComparison {
  return {
    checksum: (address, range) => withSession(source, address, rowSession, (client) => checksum(client, range)),
    digests: (address, range) => withSession(source, address, rowSession, (client) => digests(client, range)),
    rowDigests: (address, order) => withSession(source, address, shortSession, (client) => rowDigests(client, order)),
    repairRows: (from, to, order) =>
      withSession(source, from, rowSession, (client) =>
        withSession(source, to, rowSession, (writer) => repairRows({ client, address: from }, writer, order)),
      ),
  };
}
