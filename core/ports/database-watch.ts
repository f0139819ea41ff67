import type { DatabaseAddress, DatabaseProbe } from './database-engine';

/** One kept connection to one server, asked again and again: cheap enough for five times a second. */
export interface DatabaseWatch {
  /** Asks for an answer to SQL, connecting anew where the connection broke. Never throws. */
  ping(timeoutMs: number): Promise<DatabaseProbe>;
  /** Called once for each connection that breaks between pings, so that the next ping need not wait for its turn. */
  onBreak(callback: () => void): void;
  close(): Promise<void>;
}

export interface DatabaseWatches {
  watch(address: DatabaseAddress): DatabaseWatch;
}
