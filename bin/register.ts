import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { SFNClient } from '@aws-sdk/client-sfn';
import { clientSettings } from '../adapters/aws/client-settings';
import { OperatorExecutions } from '../adapters/aws/operator-executions';
import { systemClock } from '../adapters/system-clock';
import { messageOf, RejoinError } from '../core/errors';
import type { JsonObject } from '../core/json';
import { registrationInputSchema } from '../core/registration/owners';
import { executionName } from '../core/starter/execution-name';

const help = `rejoin register CLUSTER [--owners databases|rule|FILE] [--json]

  Starts the deployed workflow register-cluster with your AWS credentials, and waits for its end.

  --owners databases   each shard's owners are the two nodes that hold its rows (the default)
  --owners rule        primaries go round, followers are spread; the rows must be there
  --owners FILE        a JSON object: {"shard_0000": {"primary": "node-1", "follower": "node-2"}, …}
  --json               one JSON object on standard output and nothing else there: cluster, execution, outcome, reason
  --help               this text

Exit code: 0 registered, or no action needed; 1 it is not registered, and the reason says why; 2 nothing could be asked or
started, and standard error says why; 130 Ctrl-C, which ends the waiting: the execution goes on.
`;

const lookEveryMs = 2_000;

/** @returns 0 when the cluster is registered, 1 when it is not */
export async function register(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseCommand(argv);
  const [cluster, ...rest] = positionals;
  if (values.help === true) {
    process.stdout.write(help);
    return 0;
  }
  if (cluster === undefined || rest.length > 0) {
    throw new RejoinError(
      'InvalidInput',
      `name one cluster, such as 'rejoin register orders' (given: ${positionals.join(' ') || 'none'})`,
    );
  }
  // The SDK warns of Node.js versions that later releases of it need; this one's is pinned.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const input = readInput(cluster, values.owners ?? 'databases');
  const executions = new OperatorExecutions(new SFNClient(clientSettings()));
  const atMs = systemClock.nowMs();
  const name = executionName({ cluster, nodeId: null, trigger: 'manual', atMs, within: 'minute' });
  const arn = await executions.start('register-cluster', name, input);
  process.stderr.write(`started ${arn}\n`);
  for (;;) {
    const end = await executions.end(arn);
    if (end.status !== 'running') {
      const { outcome, reason } = end;
      process.stdout.write(
        values.json === true
          ? `${JSON.stringify({ cluster, execution: arn, outcome, reason })}\n`
          : `${outcome}: ${reason}\n`,
      );
      return end.status === 'succeeded' ? 0 : 1;
    }
    await systemClock.sleep(lookEveryMs, signal);
  }
}

function parseCommand(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: { owners: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    });
  } catch (thrown) {
    throw new RejoinError('InvalidInput', `${messageOf(thrown).split('. ')[0] ?? ''}; see 'rejoin register --help'`, {
      cause: thrown,
    });
  }
}

/** The execution's input, checked before anything is started. */
export function readInput(cluster: string, owners: string): JsonObject {
  const given = owners === 'databases' || owners === 'rule' ? owners : readOwners(owners);
  const parsed = registrationInputSchema.safeParse({ cluster, owners: given });
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new RejoinError('InvalidInput', problems.join('; '));
  }
  return parsed.data;
}

function readOwners(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (thrown) {
    throw new RejoinError(
      'InvalidInput',
      `--owners '${file}' is neither 'databases' nor 'rule' nor a file of JSON: ${messageOf(thrown)}`,
      { cause: thrown },
    );
  }
}
