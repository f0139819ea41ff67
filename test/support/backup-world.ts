import { Template } from 'aws-cdk-lib/assertions';
import type { Construct } from 'constructs';
import { compressSync, uncompressSync } from 'lz4-napi';
import type { Codec } from '../../core/backup/codec';
import type { Json, JsonObject } from '../../core/json';
import { Leases } from '../../core/lease/lease';
import { RunLedger } from '../../core/ledger/run-ledger';
import type { ExecutionRecord, MetricValue } from '../../core/ports/surroundings';
import type { Ablation } from '../../core/restore/ablation';
import type { StepHandler } from '../../core/step/define-step';
import { ChangeBackup } from '../../lib/workflows/change-backup';
import { FullBackup } from '../../lib/workflows/full-backup';
import { NodeRecovery } from '../../lib/workflows/node-recovery';
import { RegisterCluster } from '../../lib/workflows/register-cluster';
import { startExecution, StateError, type Execution, type TaskCall } from '../../local/states/execution';
import { loadStateMachine, type StateMachine } from '../../local/states/state-machine';
import { definitionOf } from '../lib/support/definition-of';
import { stackForTest } from '../lib/support/surroundings-for-test';
import { Killed, mortal, type Death } from './mortal-calls';
import { cluster, SimulatedCluster, type SimulatedClusterOptions } from './simulated-cluster';

const constructs = {
  'full-backup': FullBackup,
  'change-backup': ChangeBackup,
  'node-recovery': NodeRecovery,
  'register-cluster': RegisterCluster,
} as const satisfies Record<string, new (scope: Construct, id: string) => Construct>;
export type MachineName = keyof typeof constructs;

interface Deployed {
  readonly machine: StateMachine;
  /** The step's file of each function, by the name that the definition calls it. */
  readonly entries: ReadonlyMap<string, string>;
}

const deployed = new Map<MachineName, Deployed>();

/** A machine as it is synthesized: made once, for it takes a second. */
function deploy(name: MachineName): Deployed {
  const earlier = deployed.get(name);
  if (earlier !== undefined) {
    return earlier;
  }
  const stack = stackForTest();
  new constructs[name](stack, 'Machine');
  const template = Template.fromStack(stack);
  const functions = template.findResources('AWS::Lambda::Function') as Record<
    string,
    { readonly Metadata?: Readonly<Record<string, string>> }
  >;
  const made = {
    machine: loadStateMachine({
      name: `rejoin-${name}`,
      arn: `arn:aws:states:eu-central-1:111122223333:stateMachine:rejoin-${name}`,
      definition: definitionOf(template),
    }),
    entries: new Map(
      Object.entries(functions).map(([id, { Metadata }]) => [`<${id}>`, Metadata?.['rejoin:entry'] ?? '']),
    ),
  };
  deployed.set(name, made);
  return made;
}

/** Does not leave the thread, as the real one does: a virtual clock takes that for a wait, and runs ahead. */
const simulatedCodec: Codec = {
  name: 'lz4',
  compress: async (raw) => compressSync(raw),
  decompress: async (stored) => uncompressSync(stored),
};

/** Which calls of which ports a death counts. */
const mortalPorts = ['ledger', 'leases', 'registry', 'databases', 'backups', 'executions', 'events'];

/**
 * The simulated cluster with all of its state machines: backups, the change capture and recoveries as they are deployed,
 * their real steps, the real codec, on a virtual clock.
 */
export class BackupWorld {
  readonly executions = new Map<string, Execution>();
  /** Who dies, and when; null: nobody. */
  death: Death | null = null;
  /** Called before each step, with its state's name. */
  onStep: (state: string) => Promise<void> = async () => undefined;
  ablations: readonly Ablation[] = [];

  private constructor(readonly cluster: SimulatedCluster) {}

  static async open(options: SimulatedClusterOptions = {}): Promise<BackupWorld> {
    return new BackupWorld(await SimulatedCluster.open(options));
  }

  /** Runs a machine to its end. */
  async run(
    machine: MachineName,
    name: string,
    input: JsonObject = { cluster },
  ): Promise<Awaited<Execution['finished']>> {
    return this.start(machine, name, input).finished;
  }

  start(machine: MachineName, name: string, input: JsonObject = { cluster }): Execution {
    const execution = startExecution(deploy(machine).machine, {
      name,
      input,
      world: {
        clock: this.cluster.clock,
        random: { next: () => 0.5 },
        tasks: { run: (call) => this.call(machine, call) },
        objects: {
          getObject: async (_bucket, key) => this.cluster.backups.read(key),
          listObjects: async () => [],
          putObject: async (_bucket, key, body) => this.cluster.backups.write(key, body),
        },
      },
    });
    this.executions.set(`${machine}/${name}`, execution);
    return execution;
  }

  private async call(machine: MachineName, call: TaskCall): Promise<Json> {
    const { FunctionName: name, Payload: event } = call.arguments as { FunctionName: string; Payload: Json };
    const entry = deploy(machine).entries.get(name) ?? '';
    await this.onStep(call.stateName);
    const module = (await import(`../../${entry.replace(/\.ts$/, '')}`)) as {
      makeStep: (ports: unknown) => StepHandler<Json>;
    };
    try {
      const result = await module.makeStep(this.ports())(event, { getRemainingTimeInMillis: () => 840_000 });
      return { Payload: JSON.parse(JSON.stringify(result)) as Json, StatusCode: 200, ExecutedVersion: '$LATEST' };
    } catch (thrown) {
      if (thrown instanceof Killed) {
        throw new StateError('Sandbox.Timedout', thrown.message);
      }
      const { name: errorType, message } = thrown as Error;
      throw new StateError(errorType, JSON.stringify({ errorType, errorMessage: message }));
    }
  }

  private ports(): Record<string, unknown> {
    const { clock, store, databases, backups, evidence, published, settings, machines, managed, statusAlarms, dns } =
      this.cluster;
    const ports: Record<string, object> = {
      clock,
      ledger: new RunLedger(store, clock),
      leases: new Leases(store, clock),
      registry: store,
      settings: { cluster: async () => settings },
      databases,
      backups,
      evidence,
      machines,
      statusAlarms,
      managedDatabases: managed,
      dns,
      codec: simulatedCodec,
      ablations: this.ablations,
      prober: { probe: async () => 'timed out' },
      events: { publish: async (event: (typeof published.events)[number]) => void published.events.push(event) },
      notifications: {
        publish: async ({ subject }: { subject: string }) => void published.notes.push(subject),
      },
      metrics: { publish: async (values: readonly MetricValue[]) => void published.metrics.push(...values) },
      executions: this.executionsPort(),
    };
    const { death } = this;
    return Object.fromEntries(
      Object.entries(ports).map(([name, port]) => [
        name,
        death === null || !mortalPorts.includes(name) ? port : mortal(port, death),
      ]),
    );
  }

  private executionsPort() {
    return {
      start: async ({ machine, name }: { machine: string; name: string }) => {
        const arn = `${machine}/${name}`;
        const started = !this.cluster.published.started.includes(arn);
        if (started) {
          this.cluster.published.started.push(arn);
        }
        return { arn, started };
      },
      describe: async (machine: string, name: string): Promise<ExecutionRecord | null> => {
        const execution = this.executions.get(`${machine}/${name}`);
        return execution === undefined
          ? null
          : {
              arn: name,
              status: execution.status === 'RUNNING' ? 'running' : 'failed',
              startedAtMs: 0,
              endedAtMs: null,
              output: null,
            };
      },
      running: async (machine: string) =>
        [...this.executions]
          .filter(([name, execution]) => name.startsWith(`${machine}/`) && execution.status === 'RUNNING')
          .map(([name]) => name.slice(machine.length + 1)),
      visits: async () => [],
    };
  }
}
