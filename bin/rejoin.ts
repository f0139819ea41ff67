import { constants } from 'node:os';
import { isRejoinError } from '../core/errors';
import { check } from '../local/command/check';
import { rehearse } from '../local/command/rehearse';
import { scenarios } from '../local/scenarios/scenarios';

const help = `rejoin COMMAND [options]

  rehearse [scenario]   run a deployed workflow on this computer, with real databases and a fault (--help for more)
  check [FILE]          read rejoin.yaml, or FILE, and name all that is wrong in it (--help for more)
  register CLUSTER      enter a cluster of rejoin.yaml in the deployed registry (--help for more)
  help                  this text

A rehearsal needs no AWS account; register needs your credentials. To deploy: npx cdk deploy --all (docs/start.md).

Exit code: 0 all is well; 1 a check of the rehearsal did not hold, or the cluster is not registered; 2 it could not be
done, and standard error says why in a sentence; 129, 130, 143 stopped by SIGHUP, Ctrl-C, SIGTERM. With --json, rehearse
and register write one JSON object to standard output and nothing else; everything else is on standard error.
`;

/** It could not be done; a check that did not hold is 1. */
const notDone = 2;
/** Between two signals that are two wishes, not one that reached us by two ways. */
const impatientMs = 1_000;

/** The operator's command line. @returns the exit code */
async function main(signal: AbortSignal): Promise<number> {
  const [command, ...rest] = process.argv.slice(2);
  switch (command) {
    case 'rehearse':
      return rehearse(rest, scenarios, signal);
    case 'check':
      return check(rest);
    case 'register':
      // A rehearsal does not wait for clients of AWS to be loaded.
      return (await import('./register')).register(rest, signal);
    case undefined:
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(help);
      return 0;
    default:
      process.stderr.write(`rejoin: there is no command '${command}'; commands: rehearse, check, register, help\n`);
      return notDone;
  }
}

/**
 * Runs `work` until it has ended, and then ends. A signal aborts it; a second one ends at once, and the next run cleans up.
 * What is thrown where nobody waits for it aborts it, too: nothing that it has started may outlive it.
 */
function run(work: (signal: AbortSignal) => Promise<number>): void {
  const stop = new AbortController();
  let working = true;
  let stoppedBy: { readonly code: number; readonly atMs: number } | null = null;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (stoppedBy === null) {
        stoppedBy = { code: 128 + constants.signals[signal], atMs: performance.now() };
        process.stderr.write('rejoin: stops in order; once more, and it ends at once\n');
        stop.abort(new Error('stopped by the user'));
      } else if (performance.now() - stoppedBy.atMs > impatientMs) {
        process.exit(stoppedBy.code);
      }
    });
  }
  for (const loose of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(loose, (thrown: unknown) => {
      if (working) {
        stop.abort(thrown);
      } else {
        fail(thrown);
      }
    });
  }
  const fail = (thrown: unknown): void => {
    if (stoppedBy === null) {
      // A user's mistake, or a fact about this computer, is one sentence; a defect shows where it is.
      const said = isRejoinError(thrown) ? thrown.message : `this is a defect: ${defectText(thrown)}`;
      process.stderr.write(`rejoin: ${said}\n`);
    }
    // What was under way when it was stopped, or failed, leads nowhere any more: nothing waits for it.
    process.exit(stoppedBy?.code ?? notDone);
  };
  work(stop.signal)
    .then((code) => {
      working = false;
      process.exitCode = stoppedBy?.code ?? code;
    })
    .catch(fail);
}

function defectText(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}

run(main);
