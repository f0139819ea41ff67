import type { Machines } from '../../core/ports/machines';
import type { ManagedDatabases } from '../../core/ports/managed-databases';
import type { Registry } from '../../core/ports/registry';
import type { StatusAlarms } from '../../core/ports/status-alarms';
import type {
  Dns,
  Events,
  Executions,
  HostCommands,
  Metrics,
  Notifications,
  Prober,
} from '../../core/ports/surroundings';

/** The ports that live in the control process; workers and agents call them over HTTP. */
export interface RemotePorts {
  readonly registry: Registry;
  readonly machines: Machines;
  readonly managedDatabases: ManagedDatabases;
  readonly prober: Prober;
  readonly dns: Dns;
  readonly events: Events;
  readonly notifications: Notifications;
  readonly metrics: Metrics;
  readonly statusAlarms: StatusAlarms;
  readonly executions: Executions;
  readonly hostCommands: HostCommands;
}

export type PortName = keyof RemotePorts;

/** Whether a call changes something: a fault may kill a step at its n-th such call. */
export type MethodEffect = 'reads' | 'changes';

/** Every method of every remote port: no other can be called. */
export const remoteMethods: {
  readonly [P in PortName]: Readonly<Record<keyof RemotePorts[P], MethodEffect>>;
} = {
  registry: { read: 'reads', list: 'reads', write: 'changes' },
  machines: {
    observe: 'reads',
    list: 'reads',
    newestSnapshot: 'reads',
    snapshotState: 'reads',
    takeSnapshot: 'changes',
    launch: 'changes',
    stop: 'changes',
    quarantine: 'changes',
    terminate: 'changes',
  },
  managedDatabases: {
    observe: 'reads',
    snapshots: 'reads',
    stop: 'changes',
    isolate: 'changes',
    quarantine: 'changes',
    release: 'changes',
    create: 'changes',
    remove: 'changes',
  },
  prober: { probe: 'reads' },
  dns: { read: 'reads', changeState: 'reads', change: 'changes' },
  events: { publish: 'changes' },
  notifications: { publish: 'changes' },
  metrics: { newest: 'reads', publish: 'changes' },
  statusAlarms: { put: 'changes', remove: 'changes' },
  executions: { describe: 'reads', visits: 'reads', running: 'reads', start: 'changes' },
  hostCommands: { result: 'reads', send: 'changes' },
};

/** What an error is for a caller whom no answer reached: it may be tried again. */
export const unansweredError: Readonly<Record<PortName, 'RegistryThrottled' | 'ApiThrottled'>> = {
  registry: 'RegistryThrottled',
  machines: 'ApiThrottled',
  managedDatabases: 'ApiThrottled',
  prober: 'ApiThrottled',
  dns: 'ApiThrottled',
  events: 'ApiThrottled',
  notifications: 'ApiThrottled',
  metrics: 'ApiThrottled',
  statusAlarms: 'ApiThrottled',
  executions: 'ApiThrottled',
  hostCommands: 'ApiThrottled',
};
