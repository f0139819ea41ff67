import { isRejoinError } from '../core/errors';
import { rehearse } from '../local/command/rehearse';
import { scenarios } from '../local/scenarios/scenarios';

const help = `rejoin COMMAND [options]

  rehearse [scenario]   run a deployed workflow on this computer, with real databases and a fault (--help for more)
  register CLUSTER      enter a cluster of rejoin.yaml in the deployed registry (--help for more)
  help                  this text

A rehearsal needs no AWS account; register needs your credentials. To deploy: npx cdk deploy --all (docs/start.md).
`;

/** The operator's command line. A user's mistake is one sentence and exit code 2; a check that failed is 1. */
async function main(): Promise<number> {
  const [command, ...rest] = process.argv.slice(2);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      stop.abort(new Error('stopped by the user'));
    });
  }
  switch (command) {
    case 'rehearse':
      return rehearse(rest, scenarios, stop.signal);
    case 'register':
      // A rehearsal does not wait for clients of AWS to be loaded.
      return (await import('./register')).register(rest, stop.signal);
    case undefined:
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(help);
      return 0;
    default:
      process.stderr.write(`rejoin: there is no command '${command}'; commands: rehearse, register, help\n`);
      return 2;
  }
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (thrown: unknown) => {
    if (isRejoinError(thrown) || (thrown instanceof Error && thrown.message === 'stopped by the user')) {
      process.stderr.write(`rejoin: ${thrown.message}\n`);
      process.exitCode = 2;
      return;
    }
    throw thrown;
  },
);
