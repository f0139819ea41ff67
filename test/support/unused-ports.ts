/**
 * Stands in for adapters/ports where tests load a step: its `handler` wants the ports of AWS as soon as it is loaded, with
 * their clients and environment; tests make the step themselves, with ports of their own. A port of these says so when it
 * is used.
 */
function unused(name: string): () => object {
  return () =>
    new Proxy(
      {},
      {
        get: (_target, property) => {
          throw new Error(`a test used ${name}().${String(property)} of AWS; make the step with ports of its own`);
        },
      },
    );
}

export const stepPorts = (): object => ({});
export const registry = unused('registry');
export const backups = unused('backups');
export const evidence = unused('evidence');
export const machines = unused('machines');
export const managedDatabases = unused('managedDatabases');
export const prober = unused('prober');
export const dns = unused('dns');
export const secrets = unused('secrets');
export const settings = unused('settings');
export const hostCommands = unused('hostCommands');
export const events = unused('events');
export const notifications = unused('notifications');
export const metrics = unused('metrics');
export const statusAlarms = unused('statusAlarms');
export const executions = unused('executions');
export const databases = unused('databases');
export const databaseWatches = unused('databaseWatches');
export const clock = unused('clock');
export const random = unused('random');
