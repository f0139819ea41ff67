import type { DatabaseEngine } from '../../core/ports/database-engine';
import { postgresCapture } from './capture/capture';
import { postgresComparison } from './comparison/comparison';
import type { ConnectionSource } from './connection';
import { postgresOwnership } from './ownership/ownership';
import { postgresProbing } from './probing/probing';
import { postgresReplication } from './replication/replication';
import { postgresRows } from './rows/rows';
import { postgresStandby } from './standby/standby';
import { postgresStructure } from './structure/structure';

/** All that Rejoin asks of PostgreSQL servers, which are reached as `source` says. */
export function postgresEngine(source: ConnectionSource): DatabaseEngine {
  return {
    ...postgresProbing(source),
    ...postgresStructure(source),
    ...postgresOwnership(source),
    ...postgresCapture(source),
    ...postgresRows(source),
    ...postgresComparison(source),
    ...postgresReplication(source),
    ...postgresStandby(source),
  };
}
