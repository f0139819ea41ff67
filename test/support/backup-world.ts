import type { Construct } from 'constructs';
import { lz4 } from '../../adapters/codec';
import type { Json, JsonObject } from '../../core/json';
import { Leases } from '../../core/lease/lease';
import { RunLedger } from '../../core/ledger/run-ledger';
import type { ExecutionRecord, MetricValue } from '../../core/ports/surroundings';
import type { Ablation } from '../../core/restore/ablation';
import { ChangeBackup } from '../../lib/workflows/change-backup';
import { FullBackup } from '../../lib/workflows/full-backup';
import { NodeRecovery } from '../../lib/workflows/node-recovery';
import { RegisterCluster } from '../../lib/workflows/register-cluster';
import { startExecution, type Execution, type TaskCall } from '../../local/states/execution';
import { answerTask, deployMachine, itemsIn, stepOf, type DeployedMachine } from './deployed-machine';
import { mortal, type Death } from './mortal-calls';
import { cluster, SimulatedCluster, type SimulatedClusterOptions } from './simulated-cluster';

const constructs = {
  'full-backup': FullBackup,
  'change-backup': ChangeBackup,
  'node-recovery': NodeRecovery,
  'register-cluster': RegisterCluster,
} as const satisfies Record<string, new (scope: Construct, id: string) => Construct>;
export type MachineName = keyof typeof constructs;

const deployed = new Map<MachineName, DeployedMachine>();

/** Made once each. */
function deploy(name: MachineName): DeployedMachine {
  const made = deployed.get(name) ?? deployMachine(name, (stack) => new constructs[name](stack, 'Machine'));
  deployed.set(name, made);
  return made;
}

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
        objects: itemsIn(this.cluster.backups),
      },
    });
    this.executions.set(`${machine}/${name}`, execution);
    return execution;
  }

  private async call(machine: MachineName, call: TaskCall): Promise<Json> {
    await this.onStep(call.stateName);
    return answerTask(deploy(machine), call, (entry) => stepOf(entry, this.ports()));
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
      codec: lz4,
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
