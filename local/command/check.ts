import { RejoinError } from '../../core/errors';
import { loadSettings } from '../../lib/config/load';

const help = `rejoin check [FILE]

  Reads rejoin.yaml, or FILE, or the file named in REJOIN_CONFIG, and names all that is wrong in it, without AWS.

  --help               this text

Exit code: 0 the file is well formed, perhaps with warnings on standard error; 2 it is not, or can't be read.
`;

/**
 * `rejoin check [FILE]`: reads rejoin.yaml and says what it describes.
 *
 * @returns the exit code
 * @throws InvalidSettings with every problem of the file; InvalidInput
 */
export function check(argv: readonly string[]): number {
  const [file = process.env['REJOIN_CONFIG'] ?? 'rejoin.yaml', ...more] = argv;
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(help);
    return 0;
  }
  if (more.length > 0 || file.startsWith('-')) {
    throw new RejoinError('InvalidInput', `check takes one file, got '${argv.join(' ')}'; see 'rejoin check --help'`);
  }
  const { settings, warnings } = loadSettings(file);
  for (const warning of warnings) {
    process.stderr.write(`warning: ${warning}\n`);
  }
  const clusters = Object.entries(settings.clusters).map(
    ([name, { layout, nodes }]) => `  ${name}: ${layout}, ${Object.keys(nodes).length} nodes\n`,
  );
  process.stdout.write(`${file} is well formed\n${clusters.join('')}`);
  return 0;
}
