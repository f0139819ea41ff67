import { isRejoinError } from '../core/errors';
import { loadSettings } from '../lib/config/load';
import { checkApp } from '../lib/stacks/check-app';
import { makeApp } from '../lib/stacks/make-app';

/** Synthesizes the app that rejoin.yaml, or the file named in REJOIN_CONFIG, describes. */
function main(): void {
  const { settings, warnings } = loadSettings(process.env['REJOIN_CONFIG'] ?? 'rejoin.yaml');
  for (const warning of warnings) {
    process.stderr.write(`warning: ${warning}\n`);
  }
  const app = makeApp(settings);
  checkApp(app);
  app.synth();
}

try {
  main();
} catch (thrown) {
  if (!isRejoinError(thrown, 'InvalidSettings')) {
    throw thrown;
  }
  // It is about the user's file: where in our code it was found helps nobody.
  process.stderr.write(`${thrown.message}\n`);
  process.exitCode = 1;
}
