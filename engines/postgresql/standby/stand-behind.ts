import type { Client } from 'pg';
import { RejoinError } from '../../../core/errors';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { shortSession, withSession, type ConnectionSource } from '../connection';
import { connectionTo } from '../replication/connection-to';
import { refuseRemovedLog } from './kept-log';
import { refuseOtherHistory } from './other-history';
import { keepLogFor } from './physical-slot';
import { isPrimarySet, setPrimary } from './primary-setting';
import { standbyState } from './standby-state';

/**
 * Lets a standby receive the log of a primary. The slot comes first, so that the log is kept from before the standby asks
 * for it.
 *
 * @throws SqlFailed when the server is not a standby, or has log that the primary never had; SlotLost when the primary no longer has the log that it needs
 */
export async function standBehind(
  source: ConnectionSource,
  standby: DatabaseAddress,
  order: { readonly name: string; readonly primary: DatabaseAddress },
): Promise<void> {
  const setting = await withSession(source, standby, shortSession, async (client) => {
    await refusePrimary(client, standby);
    return { conninfo: await connectionTo(source, client, order), slot: order.name };
  });
  await refuseOtherHistory(source, standby, order.primary);
  await withSession(source, order.primary, shortSession, (client) => keepLogFor(client, order.name));
  if (!(await withSession(source, standby, shortSession, (client) => isPrimarySet(client, setting)))) {
    await setPrimary(source, standby, setting);
  }
  await refuseRemovedLog(source, standby, order.primary);
}

async function refusePrimary(client: Client, address: DatabaseAddress): Promise<void> {
  if (!(await standbyState(client)).standby) {
    throw new RejoinError(
      'SqlFailed',
      `node '${address.nodeId}' of cluster '${address.cluster}' is a primary, so it can stand behind nobody; restore its volume first, which makes it a standby`,
    );
  }
}
