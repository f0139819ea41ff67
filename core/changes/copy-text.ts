import type { ByteWriter } from './byte-writer';
import { textBytes, valueKind, type Tuple } from './pgoutput';

const tab = 0x09;
const newline = 0x0a;
const carriageReturn = 0x0d;
const backslash = 0x5c;
const capitalN = 0x4e;
/** What follows the backslash where a byte has to be escaped; 0 where it stands for itself. */
const escapes = new Uint8Array(256);
escapes[tab] = 0x74;
escapes[newline] = 0x6e;
escapes[carriageReturn] = 0x72;
escapes[backslash] = backslash;
/** Texts up to this are quicker to copy byte by byte. */
const shortBytes = 48;

/**
 * Appends the values at `positions` of a tuple as fields of COPY text format, each with a tab before it except the first
 * of a line. Missing values become null.
 */
export function writeCopyFields(to: ByteWriter, body: Buffer, values: Tuple, positions: readonly number[]): void {
  let first = true;
  for (const position of positions) {
    if (!first) {
      to.byte(tab);
    }
    first = false;
    const at = values[position] ?? -1;
    if (body[at] === valueKind.text) {
      const start = at + 5;
      writeCopyText(to, body, start, start + textBytes(body, at));
    } else {
      to.reserve(2);
      to.buffer[to.length] = backslash;
      to.buffer[to.length + 1] = capitalN;
      to.length += 2;
    }
  }
}

/** A text as one field of COPY text format. */
export function copyField(text: string): string {
  return text.replace(/[\\\t\n\r]/g, (special) => specialNames[special] ?? special);
}

const specialNames: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** Ends a line of COPY text format. */
export function endCopyLine(to: ByteWriter): void {
  to.byte(newline);
}

/** Separates two fields of a line. */
export function nextCopyField(to: ByteWriter): void {
  to.byte(tab);
}

/** Appends `from[start..end)` as one field, with what COPY gives a meaning escaped. */
function writeCopyText(to: ByteWriter, from: Buffer, start: number, end: number): void {
  let special = 0;
  for (let at = start; at < end; at += 1) {
    if (escapes[from[at] ?? 0] !== 0) {
      special += 1;
    }
  }
  to.reserve(end - start + special);
  if (special === 0 && end - start > shortBytes) {
    to.length += from.copy(to.buffer, to.length, start, end);
    return;
  }
  const { buffer } = to;
  let { length } = to;
  for (let at = start; at < end; at += 1) {
    const byte = from[at] ?? 0;
    const escape = escapes[byte] ?? 0;
    if (escape !== 0) {
      buffer[length] = backslash;
      length += 1;
    }
    buffer[length] = escape === 0 ? byte : escape;
    length += 1;
  }
  to.length = length;
}
