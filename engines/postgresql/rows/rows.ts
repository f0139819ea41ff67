import type { DatabaseRows } from '../../../core/ports/database-engine';
import { rowSession, shortSession, withSession, type ConnectionSource } from '../connection';
import { reachedPosition } from './applied-position';
import { applyChanges } from './apply-changes';
import { checkRows } from './check-rows';
import { loadRows } from './load-rows';
import { planRanges } from './plan-ranges';
import { readRange } from './read-range';

export function postgresRows(source: ConnectionSource): DatabaseRows {
  return {
    planRanges: (address, order) => withSession(source, address, rowSession, (client) => planRanges(client, order)),
    readRange: (address, order) => withSession(source, address, rowSession, (client) => readRange(client, order)),
    loadRows: (address, order) => withSession(source, address, rowSession, (client) => loadRows(client, order)),
    checkRows: (address, order) => withSession(source, address, rowSession, (client) => checkRows(client, order)),
    applyChanges: (address, order) => withSession(source, address, rowSession, (client) => applyChanges(client, order)),
    appliedTo: (address, order) =>
      withSession(source, address, shortSession, (client) => reachedPosition(client, order)),
  };
}
