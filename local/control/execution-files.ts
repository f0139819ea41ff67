import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Execution } from '../states/execution';
import { machinePrefix } from './local-executions';

/** A history is written anew as a whole: not for every event, and the longer it is the more rarely. */
const everyMs = 200;
const costFactor = 20;

/** The history of each execution as a file, also while it goes on: `<machine>/<name>.json`. */
export class ExecutionFiles {
  private readonly due = new Map<Execution, NodeJS.Timeout>();
  private readonly writing = new Map<string, Promise<void>>();
  private lastCostMs = 0;

  constructor(private readonly folder: string) {}

  /** Sees to it that the execution's newest history is written soon. */
  note(execution: Execution): void {
    if (!this.due.has(execution)) {
      this.due.set(
        execution,
        setTimeout(
          () => {
            void this.write(execution);
          },
          everyMs + costFactor * this.lastCostMs,
        ),
      );
    }
  }

  /** Writes what is due, and resolves when all is written. */
  async close(): Promise<void> {
    await Promise.all([...this.due.keys()].map(async (execution) => this.write(execution)));
    await Promise.all(this.writing.values());
  }

  /** One write of a file after the other. A full disk must not end an execution: the next write tries again. */
  private async write(execution: Execution): Promise<void> {
    clearTimeout(this.due.get(execution));
    this.due.delete(execution);
    const file = join(this.folder, pathOf(execution.arn));
    const earlier = this.writing.get(file) ?? Promise.resolve();
    const work = earlier.then(async () => replace(file, this.documentOf(execution))).catch(() => undefined);
    this.writing.set(file, work);
    await work;
    if (this.writing.get(file) === work) {
      this.writing.delete(file);
    }
  }

  private documentOf(execution: Execution): string {
    const startedMs = performance.now();
    const { arn, name, stateMachineArn, status, input, startedAtMs, history } = execution;
    const document = JSON.stringify({ arn, name, stateMachineArn, status, startedAtMs, input, history }, null, 1);
    this.lastCostMs = performance.now() - startedMs;
    return document;
  }
}

/** `…:execution:rejoin-node-recovery:<name>`; children of a distributed map have `rejoin-node-recovery/<label>`. */
function pathOf(arn: string): string {
  const [machine = '', ...name] = arn.split(':').slice(6);
  return `${machine.replace(machinePrefix, '')}/${name.join(':')}.json`;
}

async function replace(file: string, content: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(`${file}.new`, content, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
