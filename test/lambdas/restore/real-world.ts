import { Fail, Pass, Succeed } from 'aws-cdk-lib/aws-stepfunctions';
import { Duration, type Stack } from 'aws-cdk-lib';
import type { Client } from 'pg';
import { lz4 } from '../../../adapters/codec';
import { ClusterRegistry } from '../../../core/cluster/cluster-registry';
import type { NodeItem, Shard } from '../../../core/cluster/items';
import { replicationName } from '../../../core/cluster/names';
import { clusterSettingsSchema, type ClusterSettings } from '../../../core/cluster/settings';
import type { Json, JsonObject } from '../../../core/json';
import { Leases } from '../../../core/lease/lease';
import { RunLedger } from '../../../core/ledger/run-ledger';
import type { DatabaseAddress, DatabaseEngine } from '../../../core/ports/database-engine';
import type { Strategy } from '../../../core/restore/work-order';
import { postgresEngine } from '../../../engines/postgresql/engine';
import { Workflow } from '../../../lib/constructs/workflow';
import { ChangeBackup } from '../../../lib/workflows/change-backup';
import { FullBackup } from '../../../lib/workflows/full-backup';
import { RestoreRows } from '../../../lib/workflows/restore-rows';
import { systemClock } from '../../../adapters/system-clock';
import { startExecution, type Execution, type TaskCall } from '../../../local/states/execution';
import { answerTask, deployMachine, itemsIn, stepOf, type DeployedMachine } from '../../support/deployed-machine';
import { startTestServer, testClient, type TestServer } from '../../support/postgres';
import { SimulatedObjects } from '../../support/simulated-objects';
import { SimulatedRegistry } from '../../support/simulated-registry';

export const cluster = 'orders';
export const shards = ['shard_0000', 'shard_0001'];
const survivor = 'node-1';
const epoch = 4;

const clusterSettings: ClusterSettings = {
  ...clusterSettingsSchema.parse({
    layout: 'sharded',
    shardCount: shards.length,
    database: 'postgres',
    secret: 'orders',
    tls: 'disabled',
    sites: { a: { subnetId: 'subnet-a' } },
    nodes: {},
    backup: { rowsPerChunk: 1_000, bytesPerChunk: 262_144 },
  }),
  name: cluster,
};

/** Tables that refer to each other, with a second unique column, large values and generated ones. */
function tablesOf(schema: string): string {
  return `
    CREATE SCHEMA ${schema};
    CREATE TABLE ${schema}.customer (
      id bigint PRIMARY KEY, email text NOT NULL UNIQUE, note text, length int GENERATED ALWAYS AS (length(note)) STORED);
    CREATE TABLE ${schema}.purchase (
      id bigint PRIMARY KEY, customer bigint NOT NULL REFERENCES ${schema}.customer, amount numeric NOT NULL, document text);
    CREATE INDEX ON ${schema}.purchase (customer);
    INSERT INTO ${schema}.customer (id, email, note)
      SELECT id, 'customer-' || id || '@example.com', repeat('note ', (id % 40)::int) FROM generate_series(1, 3000) id;
    INSERT INTO ${schema}.purchase
      SELECT id, 1 + id % 3000, id / 100.0, CASE WHEN id % 50 = 0 THEN repeat(md5(id::text), 300) END
        FROM generate_series(1, 6000) id`;
}

type MachineName = 'full-backup' | 'change-backup' | 'restore';

function deploy(name: MachineName): DeployedMachine {
  return deployMachine(name, (stack) => {
    if (name === 'restore') {
      restoreAlone(stack);
    } else {
      new { 'full-backup': FullBackup, 'change-backup': ChangeBackup }[name](stack, 'Machine');
    }
  });
}

function restoreAlone(stack: Stack): void {
  new Workflow(stack, 'Machine', {
    name: 'node-recovery',
    comment: 'The restore of rows by itself',
    timeout: Duration.hours(1),
    definition: (workflow) => {
      const failed = Fail.jsonata(workflow, 'Failed', {
        error: '{% $failure.Error %}',
        cause: '{% $failure.Cause %}',
      });
      const rows = new RestoreRows(workflow, 'Rows', { otherwise: failed });
      const variables = ['cluster', 'replacement', 'strategy', 'shards', 'lostShards'];
      const assign = Object.fromEntries(variables.map((variable) => [variable, `{% $states.input.${variable} %}`]));
      rows.end.next(Succeed.jsonata(workflow, 'Restored', { outputs: '{% $restored %}' }));
      return Pass.jsonata(workflow, 'Begin', { assign }).next(rows.start);
    },
  });
}

/**
 * Two shards on a real server, the survivor of a failed node; an empty real server as the replacement; and the deployed
 * state machines with their real steps, engine, codec and clock. Only registry and object storage are in memory.
 */
export class RealWorld {
  readonly backups = new SimulatedObjects('backups', systemClock);
  readonly store = new SimulatedRegistry();
  readonly registry = new ClusterRegistry(this.store);
  /** Called before each step, with its state's name. */
  onStep: (state: string) => Promise<void> = async () => undefined;
  private readonly deployed = new Map<MachineName, DeployedMachine>();
  private number = 0;

  private constructor(
    private readonly servers: { readonly survivor: TestServer; readonly replacement: TestServer },
    readonly databases: DatabaseEngine,
    readonly onSurvivor: Client,
    private readonly settings: ClusterSettings,
  ) {}

  static async open(): Promise<RealWorld> {
    const settings = { wal_level: 'logical', max_replication_slots: '20', synchronous_commit: 'local' };
    const first = await startTestServer({ cluster, nodeId: survivor, settings });
    const second = await startTestServer({ cluster, nodeId: 'node-3-r1', settings });
    await shareSecret(first, second);
    const servers = { survivor: first, replacement: { ...second, credentials: first.credentials } };
    const world = new RealWorld(
      servers,
      postgresEngine(first.source),
      await testClient(first, first.address),
      clusterSettings,
    );
    await world.fill();
    return world;
  }

  private async fill(): Promise<void> {
    const meta = { name: cluster, engine: 'postgresql', layout: 'sharded', shardCount: 2, epoch: 1 } as const;
    await this.registry.add(cluster, { kind: 'META', value: meta });
    const { host, port } = this.servers.survivor.address;
    const node: NodeItem = {
      id: survivor,
      site: 'a',
      machineKind: 'ec2',
      machineId: 'i-1',
      host,
      port,
      state: 'serving',
      builder: null,
      replacedAtMs: [],
    };
    await this.registry.add(cluster, { kind: 'NODE', value: node });
    for (const id of shards) {
      await this.onSurvivor.query(tablesOf(id));
      const shard: Shard = {
        id,
        schemas: [id],
        epoch,
        primary: survivor,
        follower: null,
        version: 1,
        state: 'single copy',
        fence: null,
      };
      await this.registry.add(cluster, { kind: 'SHARD', value: shard });
    }
  }

  async close(): Promise<void> {
    await this.onSurvivor.end();
    await this.servers.survivor.stop();
    await this.servers.replacement.stop();
  }

  get replacement(): DatabaseAddress {
    return this.servers.replacement.address;
  }

  /** Restores both shards on the replacement. */
  async restore(strategy: Pick<Strategy, 'kind' | 'backupId'>): Promise<Awaited<Execution['finished']>> {
    const { host, port } = this.replacement;
    const machineKind = strategy.kind === 'rds snapshot' ? 'rds' : 'ec2';
    return this.run('restore', {
      cluster,
      replacement: { nodeId: 'node-3-r1', machineId: 'i-9', machineKind, host, port },
      strategy: { reason: 'a test', snapshotId: null, ...strategy },
      shards,
      lostShards: [],
    });
  }

  /** Leaves the replacement as an instance that was restored from a snapshot of this moment: nobody keeps changes for it. */
  async becomeSnapshot(): Promise<void> {
    await this.databases.leaveReplication(this.replacement);
    for (const shard of shards) {
      await this.databases.dropSlot(this.servers.survivor.address, slotOf(shard));
    }
  }

  /** Takes a restore back: the replacement is as new, and the survivor keeps no changes for it. */
  async empty(): Promise<void> {
    for (const shard of shards) {
      await this.databases.dropShard(this.replacement, { shard, schemas: [shard] });
      await this.databases.dropSlot(this.servers.survivor.address, slotOf(shard));
    }
  }

  /** Applies what the survivor still has, as steady replication would. */
  async followToTheEnd(): Promise<void> {
    for (const shard of shards) {
      const slot = slotOf(shard);
      const order = { slot, shard, maxBytes: 1_000_000 };
      const { address } = this.servers.survivor;
      for (let found = await this.databases.peek(address, order); found !== null;) {
        await this.databases.applyChanges(this.replacement, { shard, lineage: slot, body: found.body, to: found.to });
        await this.databases.advance(address, { slot, to: found.to });
        found = await this.databases.peek(address, order);
      }
    }
  }

  /** All rows of all tables on one side, as the begin of their text and its hash. */
  async content(side: 'survivor' | 'replacement'): Promise<readonly string[]> {
    const client = await testClient(this.servers[side], this.servers[side].address);
    try {
      const rows: string[] = [];
      for (const table of shards.flatMap((shard) => [`${shard}.customer`, `${shard}.purchase`])) {
        const found = await client.query<{ row: string }>(
          `SELECT left(t::text, 60) || md5(t::text) AS row FROM ${table} t ORDER BY id`,
        );
        rows.push(...found.rows.map(({ row }) => `${table} ${row}`));
      }
      return rows;
    } finally {
      await client.end();
    }
  }

  async onReplacement<T extends object>(sql: string): Promise<readonly T[]> {
    const client = await testClient(this.servers.replacement, this.replacement);
    try {
      return (await client.query<T>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  async run(name: MachineName, input: JsonObject = { cluster }): Promise<Awaited<Execution['finished']>> {
    const deployed = this.deployed.get(name) ?? deploy(name);
    this.deployed.set(name, deployed);
    this.number += 1;
    let seed = this.number;
    return startExecution(deployed.machine, {
      name: `${name}-${this.number}`,
      input,
      world: {
        clock: systemClock,
        random: {
          next: () => {
            seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
            return seed / 2 ** 31;
          },
        },
        tasks: { run: (call) => this.call(deployed, call) },
        objects: itemsIn(this.backups),
      },
    }).finished;
  }

  private async call(deployed: DeployedMachine, call: TaskCall): Promise<Json> {
    await this.onStep(call.stateName);
    return answerTask(deployed, call, (entry) => stepOf(entry, this.ports()));
  }

  private ports() {
    const clock = systemClock;
    return {
      clock,
      ledger: new RunLedger(this.store, clock),
      leases: new Leases(this.store, clock),
      registry: this.store,
      settings: { cluster: async () => this.settings },
      databases: this.databases,
      backups: this.backups,
      codec: lz4,
      ablations: [],
      events: { publish: async () => undefined },
      notifications: { publish: async () => undefined },
      metrics: { publish: async () => undefined },
      executions: {
        start: async () => ({ arn: '', started: true }),
        describe: async () => null,
        running: async () => [],
      },
    };
  }
}

function slotOf(shard: string): string {
  return replicationName(shard, epoch);
}

/** The nodes of a cluster have one secret. */
async function shareSecret(from: TestServer, to: TestServer): Promise<void> {
  const client = await testClient(to, to.address);
  await client.query(`ALTER ROLE ${to.credentials.username} PASSWORD '${from.credentials.password}'`);
  await client.end();
}
