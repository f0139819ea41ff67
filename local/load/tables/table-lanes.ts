import { Client } from 'pg';
import { shardId } from '../../../core/cluster/names';
import { RejoinError } from '../../../core/errors';
import type { LoadOrder, TablesLoad } from '../load-process';
import { RandomSequence } from '../random-sequence';
import { BoundSocket } from '../../relay/bound-socket';
import { readTables, type LoadedTable } from './read-tables';
import { rowTextSettings } from './row-sql';
import { TableLane, type TableLaneWorld } from './table-lane';

/** The clients of one shard of any tables, each with rows of its own, and what they leave alone. */
export async function tableLanes(
  order: LoadOrder,
  data: TablesLoad,
  world: Omit<TableLaneWorld, 'random'>,
): Promise<{ readonly lanes: readonly TableLane[]; readonly notes: readonly string[] }> {
  const tables = await readFromPrimary(order, data, world);
  const lanes = Array.from({ length: data.lanes }, (_, number) => {
    const options = {
      shard: data.shard,
      schemas: data.schemas,
      tables: tables.map((table) => ({ ...table, rows: table.rows.filter((_row, at) => at % data.lanes === number) })),
      number,
      pauseMs: (1_000 * data.lanes) / order.requestsPerSecond,
      database: order.database,
      localAddress: order.localAddress,
      user: order.user,
      password: order.password,
    };
    return new TableLane(options, { ...world, random: new RandomSequence(order.seed * 1_000 + number) });
  });
  return { lanes, notes: whatIsLeftAlone(tables) };
}

async function readFromPrimary(
  order: LoadOrder,
  data: TablesLoad,
  world: Pick<TableLaneWorld, 'map' | 'resolve'>,
): Promise<readonly LoadedTable[]> {
  const route = world.map.route(shardId(data.shard));
  if (route === null) {
    throw new RejoinError('NotFound', `the shard map has no ${shardId(data.shard)}`);
  }
  const { database, user, password } = order;
  const host = await world.resolve(route.hostName);
  const client = new Client({
    host,
    port: route.port,
    database,
    user,
    password,
    stream: () => new BoundSocket(order.localAddress),
    options: rowTextSettings,
  });
  await client.connect();
  try {
    return await readTables(client, data.schemas, order.seed);
  } finally {
    await client.end();
  }
}

/** What a load on these tables does not do, in sentences. */
export function whatIsLeftAlone(tables: readonly LoadedTable[]): readonly string[] {
  if (tables.every(({ rows }) => rows.length === 0)) {
    return ['no table has a row that the load could write: it only reads'];
  }
  return tables.flatMap(({ plan, rows }) => {
    const name = `${plan.shape.schema}.${plan.shape.table}`;
    return rows.length === 0
      ? [`${name} has no row to begin with: the load writes nothing to it`]
      : plan.leftOut.map((what) => `${name}: the load leaves out ${what}`);
  });
}
