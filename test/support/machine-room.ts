import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { systemClock } from '../../adapters/system-clock';
import type { Clock } from '../../core/ports/clock';
import type { MachineFacts, ClusterTemplate } from '../../local/machines/templates';
import { MachineRoom } from '../../local/machines/machine-room';

export interface TestRoom {
  readonly room: MachineRoom;
  /** Of the first cluster. */
  readonly template: ClusterTemplate;
  readonly stateDirectory: string;
  readonly close: () => Promise<void>;
}

/** What a test says of a cluster; the first one may name the directory of an earlier room, and the clock. */
export type TestCluster = Partial<ClusterTemplate> & { readonly stateDirectory?: string; readonly clock?: Clock };

/** A room, on the real clock, for machines of these clusters; what is not said is as of 'orders', in the sites 'a' and 'b'. */
export async function openTestRoom(...clusters: readonly TestCluster[]): Promise<TestRoom> {
  const stateDirectory = clusters[0]?.stateDirectory ?? (await mkdtemp(join(tmpdir(), 'rejoin-test-machines-')));
  const template: ClusterTemplate = {
    cluster: 'orders',
    sites: ['a', 'b'],
    databasePort: 5432,
    agentPort: null,
    agent: null,
    administrator: { username: 'admin', password: randomBytes(12).toString('hex') },
    roles: [],
    databases: ['orders'],
    settings: {},
    durable: false,
    ...clusters[0],
  };
  const room = await MachineRoom.open({
    clock: clusters[0]?.clock ?? systemClock,
    stateDirectory,
    clusters: clusters.map((changes) => ({ ...template, ...changes })),
  });
  return {
    room,
    template,
    stateDirectory,
    close: async () => {
      await room.close();
      await rm(stateDirectory, { recursive: true, force: true });
    },
  };
}

/** A session of the administrator through the relay, which the caller ends; from `localAddress` where given. */
export async function clientOf(
  template: ClusterTemplate,
  facts: Pick<MachineFacts, 'address' | 'databasePort'>,
): Promise<Client> {
  const client = new Client({
    host: facts.address,
    port: facts.databasePort,
    database: 'orders',
    user: template.administrator.username,
    password: template.administrator.password,
    connectionTimeoutMillis: 3_000,
  });
  // A killed machine also breaks idle sessions; the next query tells.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
