import type { Client } from 'pg';
import type { DatabaseAddress } from '../../core/ports/database-engine';
import type { ConnectionSource } from '../../engines/postgresql/connection';
import { freshDatabase, startTestServer, testClient, type TestServer } from './postgres';

/** A database on each of two servers, with a session in it. */
export interface PairOfDatabases {
  readonly primary: DatabaseAddress;
  readonly follower: DatabaseAddress;
  readonly onPrimary: Client;
  readonly onFollower: Client;
}

/** Two servers between which rows are replicated. Each has its own password. */
export class PairOfServers {
  readonly source: ConnectionSource = {
    credentials: async (cluster) => (cluster === 'primary' ? this.primary : this.follower).credentials,
    certificateAuthority: async () => null,
  };

  private constructor(
    readonly primary: TestServer,
    readonly follower: TestServer,
  ) {}

  static async start(): Promise<PairOfServers> {
    const settings = { wal_level: 'logical', synchronous_commit: 'on' };
    const [primary, follower] = await Promise.all([
      startTestServer({ cluster: 'primary', settings }),
      startTestServer({ cluster: 'follower', nodeId: 'node-2', settings }),
    ]);
    return new PairOfServers(primary, follower);
  }

  async freshDatabases(): Promise<PairOfDatabases> {
    const [primary, follower] = [await freshDatabase(this.primary), await freshDatabase(this.follower)];
    return {
      primary,
      follower,
      onPrimary: await testClient(this.primary, primary),
      onFollower: await testClient(this.follower, follower),
    };
  }

  async stop(): Promise<void> {
    await this.primary.stop();
    await this.follower.stop();
  }
}
