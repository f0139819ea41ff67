import type { DatabaseProbing } from '../../../core/ports/database-engine';
import { shortSession, withSession } from '../connection';
import type { ConnectionSource } from '../connection';
import { readHoldings } from './holdings';
import { readPosition } from './position';
import { probe } from './probe';

export function postgresProbing(source: ConnectionSource): DatabaseProbing {
  return {
    probe: (address, timeoutMs) => probe(source, address, timeoutMs),
    position: (address) => withSession(source, address, shortSession, readPosition),
    holdings: (address, schemas) =>
      withSession(source, address, shortSession, (client) => readHoldings(client, schemas)),
  };
}
