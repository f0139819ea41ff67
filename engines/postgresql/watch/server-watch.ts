import type { Client } from 'pg';
import { messageOf } from '../../../core/errors';
import type { Clock } from '../../../core/ports/clock';
import type { DatabaseAddress, DatabaseProbe } from '../../../core/ports/database-engine';
import type { DatabaseWatch, DatabaseWatches } from '../../../core/ports/database-watch';
import { connect, type ConnectionSource, shortSession } from '../connection';

/** Watches PostgreSQL servers, each over one connection of its own. */
export function postgresWatches(source: ConnectionSource, clock: Clock): DatabaseWatches {
  return { watch: (address) => new ServerWatch(source, clock, address) };
}

class ServerWatch implements DatabaseWatch {
  private client: Client | null = null;
  private connecting: Promise<Client> | null = null;
  private breakCallback: () => void = () => undefined;
  private closed = false;

  constructor(
    private readonly source: ConnectionSource,
    private readonly clock: Clock,
    private readonly address: DatabaseAddress,
  ) {}

  onBreak(callback: () => void): void {
    this.breakCallback = callback;
  }

  async ping(timeoutMs: number): Promise<DatabaseProbe> {
    const begunAtMs = this.clock.nowMs();
    const deadline = new AbortController();
    try {
      const verdict = await Promise.race([
        this.ask(),
        this.clock.sleep(timeoutMs, deadline.signal).then(
          () => null,
          () => null,
        ),
      ]);
      const tookMs = this.clock.nowMs() - begunAtMs;
      if (verdict === null) {
        this.drop();
        return { verdict: 'timed out', detail: `no answer within ${timeoutMs} ms`, tookMs };
      }
      return { ...verdict, tookMs };
    } finally {
      deadline.abort();
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    const client = this.client;
    this.drop();
    await client?.end().catch(() => undefined);
  }

  private async ask(): Promise<Omit<DatabaseProbe, 'tookMs'>> {
    try {
      const client = await this.connected();
      await client.query('SELECT 1');
      return { verdict: 'answers', detail: 'answers SQL' };
    } catch (thrown) {
      this.drop();
      const cause: unknown = thrown instanceof Error ? thrown.cause : undefined;
      const code = codeOf(cause) ?? codeOf(thrown);
      const refused = code === 'ECONNREFUSED' || code === 'ECONNRESET' || code === 'EPIPE' || code === undefined;
      return { verdict: refused ? 'refused' : 'failing', detail: messageOf(cause ?? thrown) };
    }
  }

  private async connected(): Promise<Client> {
    if (this.client !== null) {
      return this.client;
    }
    this.connecting ??= connect(this.source, this.address, shortSession).finally(() => {
      this.connecting = null;
    });
    const client = await this.connecting;
    if (this.closed) {
      await client.end().catch(() => undefined);
    }
    this.client = client;
    client.once('end', () => {
      if (this.client === client) {
        this.client = null;
        this.breakCallback();
      }
    });
    return client;
  }

  /** Forgets the connection; whatever it was waiting for is of no interest any more. */
  private drop(): void {
    const client = this.client;
    this.client = null;
    void client?.end().catch(() => undefined);
  }
}

function codeOf(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) {
    return undefined;
  }
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}
