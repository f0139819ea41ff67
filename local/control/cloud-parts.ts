import { join } from 'node:path';
import { systemClock } from '../../adapters/system-clock';
import { systemRandom } from '../../adapters/system-random';
import { messageOf, RejoinError } from '../../core/errors';
import type { Json } from '../../core/json';
import { RunFiles } from '../adapters/run-files';
import { LocalFunctions, type CallFigures } from '../lambdas/local-functions';
import { LocalRegistry } from '../registry/local-registry';
import type { Execution, ExecutionResult, World } from '../states/execution';
import { loadStateMachine, type StateMachine } from '../states/state-machine';
import type { DeployedApp } from '../templates/deployed-app';
import type { LocalCloudOptions } from './cloud-options';
import { ControlLinks } from './control-links';
import { ControlServer } from './control-server';
import { EventBus } from './event-bus';
import { EventTargets } from './event-targets';
import { ExecutionFiles } from './execution-files';
import { LocalItems } from './item-source';
import { LocalAlarms } from './local-alarms';
import { LocalExecutions } from './local-executions';
import { LocalMetrics } from './local-metrics';
import { LocalNotifications } from './local-notifications';
import { LocalStatusAlarms } from './local-status-alarms';
import { RecordFile } from './record-file';
import { checkTasks, ServiceTasks } from './service-tasks';

const defaultAlarmEveryMs = 1_000;
const defaultRetryDelaysMs = [1_000, 2_000];

export interface CloudParts {
  readonly registry: LocalRegistry;
  readonly links: ControlLinks;
  readonly server: ControlServer;
  readonly functions: LocalFunctions;
  readonly executions: LocalExecutions;
  readonly files: ExecutionFiles;
  readonly targets: EventTargets;
  readonly bus: EventBus;
  readonly metrics: LocalMetrics;
  readonly alarms: LocalAlarms;
  readonly notifications: LocalNotifications;
  readonly calls: CallFigures[];
  /** How processes reach the control process. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Where the buckets of a run are. */
export function objectsIn(runPath: string): string {
  return join(runPath, 'objects');
}

/** What every step finds in its environment, as deployed: the same for all but a few. */
export function environmentOf(app: DeployedApp): Readonly<Record<string, string | undefined>> {
  return app.functions.find(({ environment }) => 'REJOIN_TABLE' in environment)?.environment ?? {};
}

/** Starts the parts of a cloud; what has been started is ended again when a later one can't be. */
export async function startParts(options: LocalCloudOptions, path: string, app: DeployedApp): Promise<CloudParts> {
  const clock = options.clock ?? systemClock;
  await writeSettings(options, path);
  const machines = app.machines.map(load);
  machines.forEach((machine) => {
    checkTasks(machine, new Set(app.functions.map(({ name }) => name)));
  });
  const registry = new LocalRegistry(clock, join(path, 'registry'));
  const links = new ControlLinks(clock);
  const server = await ControlServer.start(links);
  const environment = {
    REJOIN_CONTROL_URL: server.url,
    REJOIN_CONTROL_TOKEN: server.token,
    REJOIN_DIRECTORY: path,
  };
  const metrics = new LocalMetrics(clock, new RecordFile(join(path, 'metrics.jsonl')));
  const notifications = new LocalNotifications(clock, new RecordFile(join(path, 'notifications.jsonl')));
  const calls: CallFigures[] = [];
  try {
    const functions = await LocalFunctions.start({
      functions: app.functions,
      folder: path,
      environment: { ...options.environment, ...environment },
      ...(options.limits === undefined ? {} : { limits: options.limits }),
      onCall: (call) => {
        calls.push(call);
        noteCall(metrics, call);
      },
    });
    const base = { registry, links, server, environment, metrics, notifications, calls, functions };
    const parts = { ...base, ...startExecutions(options, { path, app, machines }, base) };
    serveAll(options, parts);
    return parts;
  } catch (thrown) {
    await server.close();
    registry.close();
    throw thrown;
  }
}

async function writeSettings(options: LocalCloudOptions, path: string): Promise<void> {
  const files = new RunFiles(path);
  for (const settings of options.settings) {
    await files.putCluster(settings);
  }
  for (const [name, secret] of Object.entries(options.secrets)) {
    await files.putSecret(name, secret);
  }
}

function startExecutions(
  options: LocalCloudOptions,
  {
    path,
    app,
    machines,
  }: { readonly path: string; readonly app: DeployedApp; readonly machines: readonly StateMachine[] },
  base: Pick<CloudParts, 'functions' | 'metrics' | 'notifications'>,
): Pick<CloudParts, 'executions' | 'files' | 'targets' | 'bus' | 'alarms'> {
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const files = new ExecutionFiles(join(path, 'executions'));
  const world: World = {
    clock,
    random,
    tasks: new ServiceTasks(base.functions, (): LocalExecutions => executions),
    objects: new LocalItems(objectsIn(path)),
    onEvent: (execution) => {
      files.note(execution);
    },
  };
  const executions: LocalExecutions = new LocalExecutions(machines, world, {
    onEnd: (execution, result) => {
      files.note(execution);
      noteEnd(base.metrics, execution, result);
    },
    onFault: (execution, fault) => {
      options.say(`execution ${execution.arn} can't go on, by a defect of the interpreter: ${messageOf(fault)}`);
    },
  });
  const targets = new EventTargets({
    functions: base.functions,
    notifications: base.notifications,
    executions,
    clock,
    retryDelaysMs: options.eventRetryDelaysMs ?? defaultRetryDelaysMs,
  });
  const bus = new EventBus({
    rules: app.rules,
    ownBus: environmentOf(app)['REJOIN_EVENT_BUS']?.split('/').at(-1) ?? 'default',
    clock,
    random,
    record: new RecordFile(join(path, 'events.jsonl')),
    deliver: async (arn, input, event) => {
      await targets.deliver(arn, input, event);
    },
  });
  const alarms = new LocalAlarms({
    alarms: app.alarms,
    metrics: base.metrics,
    bus,
    clock,
    everyMs: options.alarmEveryMs ?? defaultAlarmEveryMs,
    act: async (arn, alarm, reason) => {
      const body: Json = { AlarmName: alarm.name, AlarmDescription: alarm.description, NewStateReason: reason };
      await targets.deliver(arn, body, { id: alarm.name });
    },
  });
  return { executions, files, targets, bus, alarms };
}

function serveAll({ ports }: LocalCloudOptions, parts: CloudParts): void {
  const { server } = parts;
  server.serve('registry', parts.registry);
  server.serve('executions', parts.executions);
  server.serve('events', parts.bus);
  server.serve('metrics', parts.metrics);
  server.serve('statusAlarms', new LocalStatusAlarms(parts.alarms));
  server.serve('notifications', parts.notifications);
  server.serve('machines', ports.machines);
  server.serve('managedDatabases', ports.managedDatabases);
  server.serve('dns', ports.dns);
  server.serve('prober', ports.prober);
  server.serve('hostCommands', ports.hostCommands);
}

/** @throws InvalidInput with all that the interpreter does not accept */
function load(machine: DeployedApp['machines'][number]): StateMachine {
  try {
    return loadStateMachine(machine);
  } catch (thrown) {
    throw new RejoinError('InvalidInput', messageOf(thrown), { cause: thrown });
  }
}

/** What Lambda itself says of a call. */
function noteCall(metrics: LocalMetrics, call: CallFigures): void {
  const dimensions = { FunctionName: call.functionName };
  metrics.add({ namespace: 'AWS/Lambda', metricName: 'Errors', dimensions }, call.ok ? 0 : 1);
  metrics.add({ namespace: 'AWS/Lambda', metricName: 'Duration', dimensions }, call.durationMs);
}

const endMetrics = {
  SUCCEEDED: 'ExecutionsSucceeded',
  FAILED: 'ExecutionsFailed',
  TIMED_OUT: 'ExecutionsTimedOut',
  ABORTED: 'ExecutionsAborted',
} as const satisfies Record<ExecutionResult['status'], string>;

/** What Step Functions itself says of an execution. */
function noteEnd(metrics: LocalMetrics, execution: Execution, result: ExecutionResult): void {
  const dimensions = { StateMachineArn: execution.stateMachineArn };
  metrics.add({ namespace: 'AWS/States', metricName: endMetrics[result.status], dimensions }, 1);
}
