import { appendFileSync } from 'node:fs';
import { nameFullDisk } from '../disk-space';

/** A file to which lines of JSON are added, for who looks at a run. */
export class RecordFile {
  constructor(private readonly file: string) {}

  /** @throws NoDiskSpace */
  add(entry: object): void {
    try {
      appendFileSync(this.file, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
    } catch (thrown) {
      throw nameFullDisk(thrown, this.file);
    }
  }
}
