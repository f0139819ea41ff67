import { RejoinError } from '../errors';
import { byte, isDigit, isSpace, isWordByte } from './bytes';
import { StatementWords } from './statement-words';

/** What a plain dump consists of, in its order. Lines count from 1. */
export type DumpItem =
  | { readonly kind: 'statement'; readonly text: string; readonly line: number }
  /** `COPY … FROM stdin`: rows follow, then `end of rows`. `dataLine` is the line of the first one. */
  | { readonly kind: 'copy'; readonly text: string; readonly line: number; readonly dataLine: number }
  /** Whole or broken lines of COPY data, as they stand in the file. */
  | { readonly kind: 'rows'; readonly body: Buffer }
  | { readonly kind: 'end of rows' }
  /** A command of psql, without the backslash. */
  | { readonly kind: 'command'; readonly text: string; readonly line: number };

/** A statement of a dump that uses INSERT may be long; this bounds what it takes to hold one. */
const maxStatementBytes = 67_108_864;

type Mode =
  | 'code'
  | 'line comment'
  | 'block comment'
  | 'string'
  | 'escape string'
  | 'quoted identifier'
  | 'dollar tag'
  | 'dollar string'
  | 'command'
  | 'after copy'
  | 'rows';

/**
 * Takes a plain dump apart as psql would, piece by piece, in bounded memory. Knows quotes, dollar quotes, comments,
 * COPY data and the bodies of SQL functions (`BEGIN ATOMIC … END`), in which a semicolon ends nothing. Takes
 * `standard_conforming_strings` to be on, as pg_dump sets it.
 */
export class DumpLexer {
  private mode: Mode = 'code';
  private line = 1;
  private items: DumpItem[] = [];
  /** The statement so far, from its first byte that is neither space nor comment; null before that. */
  private parts: Buffer[] | null = null;
  private partsBytes = 0;
  private startLine = 1;
  private previous = 0;
  private commentDepth = 0;
  private escaped = false;
  private closedEscapeString = false;
  private tag: number[] = [];
  private tagMatched = 0;
  private command: number[] = [];
  private readonly words = new StatementWords();
  private held: Buffer = Buffer.alloc(0);
  private atLineStart = true;

  /** The items that end in this piece. */
  push(piece: Buffer): readonly DumpItem[] {
    this.items = [];
    let rest = piece;
    while (rest.length > 0) {
      rest = this.mode === 'rows' ? this.takeRows(rest) : this.takeText(rest);
    }
    return this.items;
  }

  /**
   * The items that end with the file.
   *
   * @throws InvalidInput when it ends in the middle of something
   */
  end(): readonly DumpItem[] {
    this.items = [];
    if (this.mode === 'rows' && this.atLineStart && this.held.toString('latin1').trimEnd() === '\\.') {
      this.endRows();
    } else if (this.mode === 'rows') {
      throw incomplete(`the rows of COPY from line ${this.startLine} on`);
    }
    if (this.mode === 'command') {
      this.endCommand();
    }
    if (this.mode !== 'code' && this.mode !== 'line comment') {
      throw incomplete(`a ${this.mode === 'after copy' ? 'COPY statement' : this.mode} from line ${this.startLine} on`);
    }
    if (this.parts !== null) {
      throw incomplete(`the statement from line ${this.startLine} on`);
    }
    return this.items;
  }

  /** Reads statements up to the piece's end, or to where rows begin; returns the rest. */
  private takeText(piece: Buffer): Buffer {
    let begin = 0;
    for (let at = 0; at < piece.length; at += 1) {
      const current = piece[at] ?? 0;
      const hadStatement = this.parts !== null;
      const ends = this.step(current);
      if (!hadStatement && this.hasStatement()) {
        begin = at;
      }
      if (current === byte.newline) {
        this.line += 1;
      }
      this.previous = current;
      if (ends === 'statement') {
        this.keep(piece.subarray(begin, at));
        this.endStatement();
      } else if (ends === 'rows begin') {
        return piece.subarray(at + 1);
      }
    }
    if (this.hasStatement()) {
      this.keep(piece.subarray(begin));
    }
    return piece.subarray(piece.length);
  }

  private hasStatement(): boolean {
    return this.parts !== null;
  }

  private keep(part: Buffer): void {
    // A copy: the piece may be a view of a much larger buffer.
    this.parts?.push(Buffer.from(part));
    this.partsBytes += part.length;
    if (this.partsBytes > maxStatementBytes) {
      throw new RejoinError(
        'InvalidInput',
        `the statement in line ${this.startLine} of the dump is longer than ${maxStatementBytes} bytes; make the dump with COPY, pg_dump's default, instead of INSERT`,
      );
    }
  }

  /** Takes one byte that is not COPY data. */
  private step(current: number): 'statement' | 'rows begin' | null {
    switch (this.mode) {
      case 'code':
        return this.stepCode(current);
      case 'line comment':
        if (current === byte.newline) {
          this.mode = 'code';
        }
        return null;
      case 'block comment':
        this.stepBlockComment(current);
        return null;
      case 'string':
        if (current === byte.singleQuote) {
          this.mode = 'code';
        }
        return null;
      case 'escape string':
        this.stepEscapeString(current);
        return null;
      case 'quoted identifier':
        if (current === byte.doubleQuote) {
          this.mode = 'code';
        }
        return null;
      case 'dollar tag':
        return this.stepDollarTag(current);
      case 'dollar string':
        this.stepDollarString(current);
        return null;
      case 'command':
        this.stepCommand(current);
        return null;
      case 'after copy':
        return this.stepAfterCopy(current);
      case 'rows':
        return null;
    }
  }

  private stepCode(current: number): 'statement' | null {
    const reopened = this.closedEscapeString && current === byte.singleQuote;
    this.closedEscapeString = false;
    if (isWordByte(current) || (current === byte.dollar && isWordByte(this.previous))) {
      this.beginStatement();
      this.words.letter(current);
      return null;
    }
    const isE = this.words.end();
    if (isSpace(current)) {
      return null;
    }
    if (current === byte.backslash && this.parts === null) {
      this.mode = 'command';
      this.command = [];
      this.startLine = this.line;
      return null;
    }
    if (this.beginsComment(current)) {
      return null;
    }
    if (current === byte.semicolon && this.parts === null) {
      return null;
    }
    if (current !== byte.minus && current !== byte.slash) {
      this.beginStatement();
    }
    return this.stepSymbol(current, reopened || isE);
  }

  /** Two bytes begin a comment; the first of them may also be an operator, which can't begin a statement. */
  private beginsComment(current: number): boolean {
    if (current === byte.minus && this.previous === byte.minus) {
      this.mode = 'line comment';
      return true;
    }
    if (current === byte.star && this.previous === byte.slash) {
      this.mode = 'block comment';
      this.commentDepth = 1;
      this.startLine = this.parts === null ? this.line : this.startLine;
      // Not also the first byte of the end.
      this.escaped = true;
      return true;
    }
    return false;
  }

  private stepSymbol(current: number, isEscapeString: boolean): 'statement' | null {
    switch (current) {
      case byte.singleQuote:
        this.mode = isEscapeString ? 'escape string' : 'string';
        this.escaped = false;
        return null;
      case byte.doubleQuote:
        this.mode = 'quoted identifier';
        return null;
      case byte.dollar:
        this.mode = 'dollar tag';
        this.tag = [byte.dollar];
        return null;
      case byte.open:
        this.words.parentheses += 1;
        return null;
      case byte.close:
        this.words.parentheses = Math.max(0, this.words.parentheses - 1);
        return null;
      case byte.semicolon:
        return this.words.isInside() ? null : 'statement';
      default:
        return null;
    }
  }

  private stepBlockComment(current: number): void {
    if (this.escaped) {
      this.escaped = false;
    } else if (current === byte.slash && this.previous === byte.star) {
      this.commentDepth -= 1;
      this.escaped = true;
    } else if (current === byte.star && this.previous === byte.slash) {
      this.commentDepth += 1;
      this.escaped = true;
    }
    if (this.commentDepth === 0) {
      this.mode = 'code';
      this.escaped = false;
    }
  }

  private stepEscapeString(current: number): void {
    if (this.escaped) {
      this.escaped = false;
    } else if (current === byte.backslash) {
      this.escaped = true;
    } else if (current === byte.singleQuote) {
      this.mode = 'code';
      this.closedEscapeString = true;
    }
  }

  /** `$`, a tag without digits in front, `$`; anything else was a parameter such as `$1`. */
  private stepDollarTag(current: number): 'statement' | null {
    if (current === byte.dollar) {
      this.tag.push(current);
      this.mode = 'dollar string';
      this.tagMatched = 0;
      return null;
    }
    if (isWordByte(current) && !(this.tag.length === 1 && isDigit(current))) {
      this.tag.push(current);
      return null;
    }
    this.mode = 'code';
    return this.stepCode(current);
  }

  private stepDollarString(current: number): void {
    // A tag holds no dollar but its first and last, so a mismatch can only begin anew at this byte.
    this.tagMatched = current === this.tag[this.tagMatched] ? this.tagMatched + 1 : current === byte.dollar ? 1 : 0;
    if (this.tagMatched === this.tag.length) {
      this.mode = 'code';
    }
  }

  private stepCommand(current: number): void {
    if (current === byte.newline) {
      this.endCommand();
    } else {
      this.command.push(current);
    }
  }

  private endCommand(): void {
    this.items.push({ kind: 'command', text: Buffer.from(this.command).toString('utf8').trim(), line: this.startLine });
    this.mode = 'code';
  }

  /** The rows begin in the line after the statement's. */
  private stepAfterCopy(current: number): 'rows begin' | null {
    if (current !== byte.newline) {
      return null;
    }
    this.mode = 'rows';
    this.atLineStart = true;
    this.held = Buffer.alloc(0);
    return 'rows begin';
  }

  private beginStatement(): void {
    if (this.parts === null) {
      this.parts = [];
      this.partsBytes = 0;
      this.startLine = this.line;
    }
  }

  private endStatement(): void {
    const text = Buffer.concat(this.parts ?? [])
      .toString('utf8')
      .trim();
    const { startLine: line } = this;
    this.forgetStatement();
    if (isCopyFromStdin(text)) {
      this.items.push({ kind: 'copy', text, line, dataLine: this.line + 1 });
      this.mode = 'after copy';
    } else {
      this.items.push({ kind: 'statement', text, line });
    }
  }

  private forgetStatement(): void {
    this.parts = null;
    this.partsBytes = 0;
    this.words.clear();
  }

  /** Passes rows on up to the line `\.`; returns what follows it. */
  private takeRows(piece: Buffer): Buffer {
    const data = this.held.length > 0 ? Buffer.concat([this.held, piece]) : piece;
    this.held = Buffer.alloc(0);
    const marker = this.findEnd(data);
    if (marker === null) {
      const keep = heldBytes(data, this.atLineStart);
      this.pass(data.subarray(0, data.length - keep));
      this.held = Buffer.from(data.subarray(data.length - keep));
      return data.subarray(data.length);
    }
    this.pass(data.subarray(0, marker.begin));
    this.line += 1;
    this.endRows();
    return data.subarray(marker.end);
  }

  /** Where `\.` stands alone in a line; null when it isn't there, or can't be told yet. */
  private findEnd(data: Buffer): { readonly begin: number; readonly end: number } | null {
    for (let at = this.atLineStart ? 0 : nextLine(data, 0); at !== -1; at = nextMarker(data, at)) {
      if (data[at] === byte.backslash && data[at + 1] === byte.dot) {
        const end = data[at + 2] === byte.carriageReturn ? at + 3 : at + 2;
        if (data[end] === byte.newline) {
          return { begin: at, end: end + 1 };
        }
      }
    }
    return null;
  }

  private pass(body: Buffer): void {
    if (body.length === 0) {
      return;
    }
    for (let at = body.indexOf(byte.newline); at !== -1; at = body.indexOf(byte.newline, at + 1)) {
      this.line += 1;
    }
    this.atLineStart = body[body.length - 1] === byte.newline;
    this.items.push({ kind: 'rows', body });
  }

  private endRows(): void {
    this.items.push({ kind: 'end of rows' });
    this.held = Buffer.alloc(0);
    this.mode = 'code';
    this.previous = byte.newline;
  }
}

/** Quoted names are taken out first: a table may be called "from stdin". */
function isCopyFromStdin(text: string): boolean {
  return /^copy\s/i.test(text) && /\sfrom\s+stdin\b/i.test(text.slice(0, 100_000).replace(/"(?:[^"]|"")*"/g, 'x'));
}

function nextLine(data: Buffer, from: number): number {
  const newline = data.indexOf(byte.newline, from);
  return newline === -1 ? -1 : newline + 1;
}

const lineWithMarker = Buffer.from('\n\\.');

function nextMarker(data: Buffer, from: number): number {
  const found = data.indexOf(lineWithMarker, from);
  return found === -1 ? -1 : found + 1;
}

/** How many bytes at the end may be the beginning of the line `\.`. */
function heldBytes(data: Buffer, atLineStart: boolean): number {
  const newline = data.lastIndexOf(byte.newline);
  const begin = newline === -1 ? (atLineStart ? 0 : -1) : newline + 1;
  if (begin === -1) {
    return 0;
  }
  const last = data.subarray(begin).toString('latin1');
  return last !== '' && '\\.\r\n'.startsWith(last) ? last.length : 0;
}

function incomplete(what: string): RejoinError {
  return new RejoinError('InvalidInput', `the dump is incomplete: it ends in the middle of ${what}; make it again`);
}
