import { messageOf, RejoinError } from '../../core/errors';
import { clock, databases, databaseWatches, events, metrics, registry, settings } from '../../adapters/ports';
import { NodeAgent } from './agent';

/** The environment of an agent: which cluster and which of its nodes it runs beside. */
function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') {
    throw new RejoinError(
      'InvalidSettings',
      `environment variable ${name} is not set; the agent's service file sets it`,
    );
  }
  return value;
}

async function main(): Promise<void> {
  const cluster = await settings().cluster(required('REJOIN_CLUSTER'));
  const agent = new NodeAgent(
    {
      clock: clock(),
      registry: registry(),
      databases: databases(),
      watches: databaseWatches(),
      events: events(),
      metrics: metrics(),
      log: (entry) => process.stdout.write(`${JSON.stringify(entry)}\n`),
    },
    { cluster, nodeId: required('REJOIN_NODE') },
  );
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      void agent.stop().finally(() => process.exit(0));
    });
  }
  agent.start();
}

main().catch((thrown: unknown) => {
  process.stderr.write(`${messageOf(thrown)}\n`);
  process.exitCode = 1;
});
