const firstBytes = 65_536;

/** Bytes written one after the other into one growing buffer. Writers reserve first, then set bytes at `length`. */
export class ByteWriter {
  /** Holds `length` bytes that were written; what follows them is free. */
  buffer: Buffer;
  length = 0;

  constructor(capacityBytes = firstBytes) {
    this.buffer = Buffer.allocUnsafe(capacityBytes);
  }

  /** Makes room for `bytes` more. */
  reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.buffer.length) {
      return;
    }
    const grown = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
  }

  /** Appends `from[start..end)`. */
  copy(from: Buffer, start: number, end: number): void {
    this.reserve(end - start);
    this.length += from.copy(this.buffer, this.length, start, end);
  }

  byte(value: number): void {
    this.reserve(1);
    this.buffer[this.length] = value;
    this.length += 1;
  }

  text(text: string): void {
    const bytes = Buffer.byteLength(text);
    this.reserve(bytes);
    this.length += this.buffer.write(text, this.length);
  }

  /** What was written. Shares memory with the writer, which is not to be used after. */
  written(): Buffer {
    return this.buffer.subarray(0, this.length);
  }
}
