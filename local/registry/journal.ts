import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import type { JsonObject } from '../../core/json';
import type { ItemKey } from '../../core/ports/registry';
import { nameFullDisk } from '../disk-space';

const entrySchema = z.strictObject({
  atMs: z.number(),
  changes: z.array(
    z.strictObject({
      pk: z.string(),
      sk: z.string(),
      /** Null: removed. */
      value: z.record(z.string(), z.json()).nullable(),
      expiresAtMs: z.number().nullable(),
    }),
  ),
});

/** One write: what each changed item is after it. */
export interface JournalEntry {
  readonly atMs: number;
  readonly changes: readonly (ItemKey & { readonly value: JsonObject | null; readonly expiresAtMs: number | null })[];
}

/**
 * Every write of the registry, one line of JSON each, so that a run can be looked at afterwards, write by write, whatever
 * ended it. Not forced to the disk: it must outlive a process, not the computer.
 */
export class Journal {
  private readonly file: string;
  private readonly descriptor: number;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.file = join(folder, 'writes.jsonl');
    this.descriptor = openSync(this.file, 'a', 0o600);
  }

  /** All writes so far. A last line that is cut short was never answered and is dropped. */
  replay(): readonly JournalEntry[] {
    const text = readFileSync(this.file, 'utf8');
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    ftruncateSync(this.descriptor, Buffer.byteLength(whole));
    return whole
      .split('\n')
      .slice(0, -1)
      .map((line) => entrySchema.parse(JSON.parse(line)));
  }

  /** @throws NoDiskSpace; nothing is written then */
  append(entry: JournalEntry): void {
    const line = Buffer.from(`${JSON.stringify(entry)}\n`);
    const startBytes = fstatSync(this.descriptor).size;
    try {
      for (let written = 0; written < line.length;) {
        written += writeSync(this.descriptor, line, written);
      }
    } catch (thrown) {
      // Half a line in the middle would make the rest unreadable.
      ftruncateSync(this.descriptor, startBytes);
      throw nameFullDisk(thrown, `the registry's journal ${this.file}`);
    }
  }

  close(): void {
    closeSync(this.descriptor);
  }
}
