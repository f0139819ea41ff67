import type { DatabaseStandby } from '../../../core/ports/database-engine';
import { dropSlot } from '../capture/drop-slot';
import { shortSession, withSession, type ConnectionSource } from '../connection';
import { logKeptFromMs } from './log-kept-from';
import { promoteStandby } from './promote-standby';
import { standBehind } from './stand-behind';
import { standbyState } from './standby-state';

export function postgresStandby(source: ConnectionSource): DatabaseStandby {
  return {
    standbyState: (address) => withSession(source, address, shortSession, standbyState),
    standBehind: (standby, order) => standBehind(source, standby, order),
    promoteStandby: (address, { timeoutMs }) =>
      withSession(source, address, shortSession, (client) => promoteStandby(client, address, timeoutMs)),
    logKeptFromMs: (address) => withSession(source, address, shortSession, logKeptFromMs),
    forgetStandby: (primary, name) => withSession(source, primary, shortSession, (client) => dropSlot(client, name)),
  };
}
