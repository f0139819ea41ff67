import { createReadStream } from 'node:fs';
import { DatabaseError, type Client } from 'pg';
import { decideCommand, decideStatement, type StatementDecision } from '../../../core/dump/decide-statement';
import { DumpLexer, type DumpItem } from '../../../core/dump/lexer';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { inTransaction, withSession } from '../connection';
import type { ConnectionSource } from '../connection';
import { CopyStream } from './copy-stream';
import { checkDumpFile, refusedFile } from './dump-file';

export interface DumpProgress {
  readonly readBytes: number;
  readonly totalBytes: number;
  readonly statements: number;
  readonly rows: number;
}

export interface LoadedDump {
  readonly statements: number;
  /** Rows that came in COPY blocks. */
  readonly rows: number;
  /** The schemas that hold something now, in the order of their names: what a shard is made of. */
  readonly schemas: readonly string[];
  /** What was passed over, why, how often, and in which line first. */
  readonly notes: readonly string[];
}

const pieceBytes = 262_144;
const shownCharacters = 300;
/** With these the server says that something is not there: a type, a function, a table, a schema, an access method. */
const missingStates = ['42704', '42883', '42P01', '3F000'];
const acceptedStates: Readonly<Record<string, readonly string[]>> = {
  'run if roles exist': ['42704'],
  'run if known': ['42704'],
  'run if absent': ['42P06'],
  // Feature not supported, undefined file: it depends on the server's version.
  'run if available': ['0A000', '58P01'],
};

/** A dump may hold one statement that takes hours, such as an index. */
const loadSession = { statementTimeoutMs: 0, role: 'origin' } as const;

/**
 * Loads a plain dump of one database, as pg_dump 13 to 18 writes it, in one transaction: all of it or nothing. Holds one
 * statement and one piece of the file in memory.
 *
 * @throws InvalidInput when the file is no such dump; SqlFailed naming the line when a statement fails
 */
export async function loadDump(
  source: ConnectionSource,
  address: DatabaseAddress,
  file: string,
  onProgress: (progress: DumpProgress) => void,
): Promise<LoadedDump> {
  const totalBytes = await checkDumpFile(file);
  return withSession(source, address, loadSession, async (client) => {
    const loading = new DumpLoading(client, file);
    return inTransaction(client, async () => {
      // As for psql: a dump that names no search path means this one.
      await client.query('SET LOCAL search_path = "$user", public');
      await readInto(loading, file, (readBytes) => {
        onProgress({ readBytes, totalBytes, statements: loading.statements, rows: loading.rows });
      });
      return {
        statements: loading.statements,
        rows: loading.rows,
        schemas: await readUserSchemas(client),
        notes: loading.notes(),
      };
    });
  });
}

async function readInto(loading: DumpLoading, file: string, onPiece: (readBytes: number) => void): Promise<void> {
  const lexer = new DumpLexer();
  let readBytes = 0;
  try {
    for await (const piece of createReadStream(file, { highWaterMark: pieceBytes }) as AsyncIterable<Buffer>) {
      const first = readBytes === 0 ? withoutByteOrderMark(piece) : piece;
      readBytes += piece.length;
      await loading.take(lexer.push(first));
      onPiece(readBytes);
    }
    await loading.take(lexer.end());
  } catch (thrown) {
    loading.abandon();
    throw thrown;
  }
}

class DumpLoading {
  statements = 0;
  rows = 0;
  private connects = 0;
  private readonly missingExtensions: string[] = [];
  private copy: { readonly stream: CopyStream; readonly statement: string; readonly dataLine: number } | null = null;
  private readonly passedOver = new Map<string, { count: number; readonly line: number }>();

  constructor(
    private readonly client: Client,
    private readonly file: string,
  ) {}

  async take(items: readonly DumpItem[]): Promise<void> {
    for (const item of items) {
      await this.takeOne(item);
    }
  }

  /** Ends what is being copied; the transaction can only be rolled back after it. */
  abandon(): void {
    this.copy?.stream.abandon();
    this.copy = null;
  }

  notes(): readonly string[] {
    return [...this.passedOver].map(([text, { count, line }]) =>
      count === 1 ? `line ${line}: ${text}` : `line ${line} and ${count - 1} more: ${text}`,
    );
  }

  private async takeOne(item: DumpItem): Promise<void> {
    switch (item.kind) {
      case 'statement':
        return this.takeStatement(item.text, item.line);
      case 'command': {
        const decision = decideCommand(item.text, this.connects);
        this.connects += /^c(onnect)?\b/.test(item.text) ? 1 : 0;
        this.passOver(decision, `\\${item.text}`, item.line);
        return;
      }
      case 'copy':
        this.copy = { stream: new CopyStream(this.client, item.text), statement: item.text, dataLine: item.dataLine };
        return;
      case 'rows':
        return this.feed((stream) => stream.write(item.body));
      case 'end of rows':
        return this.feed(async (stream) => {
          this.rows += await stream.end();
          this.statements += 1;
          this.copy = null;
        });
    }
  }

  private async takeStatement(text: string, line: number): Promise<void> {
    const decision = decideStatement(text);
    if (decision.action === 'skip' || decision.action === 'refuse') {
      this.passOver(decision, text, line);
      return;
    }
    try {
      await this.run(decision, text, line);
      this.statements += 1;
    } catch (thrown) {
      throw this.explained(thrown, line, text);
    }
  }

  private async run(decision: StatementDecision, text: string, line: number): Promise<void> {
    if (decision.action === 'run') {
      await this.client.query(text);
      return;
    }
    await this.client.query('SAVEPOINT statement');
    try {
      await this.client.query(text);
      await this.client.query('RELEASE SAVEPOINT statement');
    } catch (thrown) {
      if (!(thrown instanceof DatabaseError) || !mayFail(decision, thrown)) {
        throw thrown;
      }
      await this.client.query('ROLLBACK TO SAVEPOINT statement; RELEASE SAVEPOINT statement');
      if (decision.action === 'run if available') {
        this.missingExtensions.push(thrown.message);
      }
      this.note(`${firstWords(text)} was passed over: ${thrown.message}`, line);
    }
  }

  /** The error with its place; with its cause, where an extension is missing that it may need. */
  private explained(thrown: unknown, line: number, text: string): unknown {
    const needsMore = thrown instanceof DatabaseError && missingStates.includes(thrown.code ?? '');
    return needsMore && this.missingExtensions.length > 0
      ? refusedFile(
          this.file,
          `can't be loaded, line ${line}: ${thrown.message}, and of what it may need this server lacks: ${this.missingExtensions.join(', ')}; make the dump without the tables that use it (pg_dump --exclude-table), or replace it`,
        )
      : placed(thrown, this.file, line, text);
  }

  private passOver(decision: StatementDecision, text: string, line: number): void {
    if (decision.action === 'refuse') {
      throw refusedFile(this.file, `can't be loaded, line ${line}: ${decision.reason}`);
    }
    if (decision.action === 'skip' && decision.reason !== null) {
      this.note(`${firstWords(text)} was passed over: ${decision.reason}`, line);
    }
  }

  private note(text: string, line: number): void {
    const before = this.passedOver.get(text);
    if (before === undefined) {
      this.passedOver.set(text, { count: 1, line });
    } else {
      before.count += 1;
    }
  }

  private async feed(work: (stream: CopyStream) => Promise<void>): Promise<void> {
    if (this.copy === null) {
      return;
    }
    const { stream, statement, dataLine } = this.copy;
    try {
      await work(stream);
    } catch (thrown) {
      this.copy = null;
      const row = thrown instanceof DatabaseError ? /, line (\d+)/.exec(thrown.where ?? '')?.[1] : undefined;
      throw placed(thrown, this.file, dataLine + (row === undefined ? 0 : Number(row) - 1), statement);
    }
  }
}

function mayFail(decision: StatementDecision, thrown: DatabaseError): boolean {
  return acceptedStates[decision.action]?.includes(thrown.code ?? '') === true;
}

/** The error with its place in the file. */
function placed(thrown: unknown, file: string, line: number, text: string): unknown {
  if (thrown instanceof DatabaseError) {
    thrown.message = `${file}, line ${line}: ${thrown.message}, in: ${text.slice(0, shownCharacters)}`;
  }
  return thrown;
}

/** What kind of statement it is: the same for all that are passed over for one reason. */
function firstWords(text: string): string {
  const owner = /^ALTER (\w+(?: VIEW)?).* OWNER TO /s.exec(text);
  return owner === null ? (/^\S+(?:\s+[A-Z]+)?/.exec(text)?.[0] ?? text) : `ALTER ${owner[1] ?? ''} … OWNER`;
}

function withoutByteOrderMark(piece: Buffer): Buffer {
  return piece[0] === 0xef && piece[1] === 0xbb && piece[2] === 0xbf ? piece.subarray(3) : piece;
}

/** Schemas with anything in them that no extension made; Rejoin's own and the server's are left out. */
const userSchemasSql = `
  SELECT n.nspname AS name
    FROM pg_namespace n
   WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'rejoin')
     AND EXISTS (SELECT FROM pg_depend d
                  WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid
                    AND d.classid IN ('pg_class'::regclass, 'pg_type'::regclass, 'pg_proc'::regclass)
                    AND NOT EXISTS (SELECT FROM pg_depend x
                                     WHERE x.classid = d.classid AND x.objid = d.objid AND x.deptype = 'e'))
   ORDER BY n.nspname COLLATE "C"`;

async function readUserSchemas(client: Client): Promise<readonly string[]> {
  await client.query('SET LOCAL search_path = pg_catalog');
  const { rows } = await client.query<{ name: string }>(userSchemasSql);
  return rows.map(({ name }) => name);
}
