import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire, wrap } from 'node:module';
import { dirname } from 'node:path';
import { Script } from 'node:vm';

type Wrapper = (exports: object, require: NodeJS.Require, module: object, file: string, folder: string) => void;

/**
 * A bundle, loaded as `require` would do it, with its compiled code kept beside it: compiling is a third of a cold start,
 * and one process can do it for all that follow.
 */
export class CompiledBundle {
  private readonly script: Script;
  private readonly codeFile: string;
  private kept: boolean;

  constructor(private readonly file: string) {
    this.codeFile = `${file}.compiled`;
    const cachedData = readIfThere(this.codeFile);
    this.script = new Script(wrap(readFileSync(file, 'utf8')), {
      filename: file,
      ...(cachedData === null ? {} : { cachedData }),
    });
    // Code of another version of Node.js, or one with other flags, is not taken.
    this.kept = cachedData !== null && this.script.cachedDataRejected !== true;
  }

  /** Runs the bundle. @throws whatever it throws */
  load(): Readonly<Record<string, unknown>> {
    const module = { exports: {} };
    const run = this.script.runInThisContext() as Wrapper;
    run(module.exports, createRequire(this.file), module, this.file, dirname(this.file));
    return module.exports;
  }

  /** Keeps what has been compiled so far, once. */
  keep(): void {
    if (this.kept) {
      return;
    }
    this.kept = true;
    const draft = `${this.codeFile}.${process.pid}`;
    try {
      writeFileSync(draft, this.script.createCachedData(), { mode: 0o600 });
      renameSync(draft, this.codeFile);
    } catch {
      // A full disk makes the next start slower, and that is all.
      rmSync(draft, { force: true });
    }
  }
}

function readIfThere(file: string): Buffer | null {
  try {
    return readFileSync(file);
  } catch {
    return null;
  }
}
