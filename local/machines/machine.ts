import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../core/ports/clock';
import { RejoinError } from '../../core/errors';
import type { PostgresBinaries } from '../postgresql/binaries';
import { copyDataDirectory, makeServerDirectory, makeStandby } from '../postgresql/data-directory';
import { startServer, type PostgresServer } from '../postgresql/server';
import { GuardedProcess } from '../processes/guarded-process';
import { anyMember } from '../relay/flow';
import type { Relay } from '../relay/relay';
import type { Journal } from './journal';
import { privatePort, type ClusterTemplate, type MachineFacts } from './templates';
import { takeCopy } from './volume-copy';

/** Why a machine is off the network. They hold independently of each other. */
export type Isolation = 'powered off' | 'quarantine' | 'scenario';

export interface MachineSurroundings {
  readonly clock: Clock;
  readonly relay: Relay;
  readonly journal: Journal;
  readonly binaries: PostgresBinaries;
}

/**
 * One machine: a database server and an agent, with all their processes, on a loopback address with a directory of its own.
 * What is asked of it happens in the order in which it was asked.
 */
export class Machine {
  private server: PostgresServer | null = null;
  private agent: GuardedProcess | null = null;
  private turn: Promise<unknown> = Promise.resolve();
  private readonly isolations = new Set<Isolation>();
  /** Since when its server has not been what it should be: dead or paused. Null: it is well. */
  private unwellSince: number | null = null;
  private gone = false;

  constructor(
    readonly facts: MachineFacts,
    private readonly template: ClusterTemplate,
    private readonly surroundings: MachineSurroundings,
  ) {}

  get dataDirectory(): string {
    return join(this.facts.directory, 'data');
  }

  /** Since when the machine does not answer though it is switched on, or null. */
  get unwellSinceMs(): number | null {
    return this.unwellSince;
  }

  get databaseRunning(): boolean {
    return this.server?.running ?? false;
  }

  /** Makes its data directory from another one. */
  async fill(from: string): Promise<void> {
    await this.inTurn(async () => {
      const { journal, relay, binaries } = this.surroundings;
      journal.addDataDirectory(this.dataDirectory);
      await relay.nameSource(this.facts.address, this.facts.machineId);
      await makeServerDirectory(binaries.user, this.facts.directory);
      await copyDataDirectory(binaries.user, from, this.dataDirectory);
    });
  }

  /** Switches it on: server, agent, network. @throws ApiRefused, NoDiskSpace when its server does not start */
  async boot(): Promise<void> {
    await this.inTurn(async () => {
      await this.setIsolated('powered off', false);
      try {
        await this.bringUpDatabase();
        await this.startAgent();
      } catch (thrown) {
        this.unwellSince ??= this.surroundings.clock.nowMs();
        throw thrown;
      }
    });
  }

  /** A power cut: nobody on the network is told. */
  async powerOff(): Promise<void> {
    await this.inTurn(async () => {
      await this.setIsolated('powered off', true);
      await this.endProcesses();
      this.unwellSince = null;
    });
  }

  /** All its processes die; the machine itself stays on, so connections to it are refused. */
  async kill(options: { readonly deleteData: boolean }): Promise<void> {
    await this.inTurn(async () => {
      await this.endProcesses();
      if (options.deleteData) {
        await rm(this.dataDirectory, { recursive: true, force: true });
      }
    });
  }

  async killAgent(): Promise<void> {
    await this.agent?.kill();
  }

  /** Stops server and agent in the middle of what they do. */
  pause(): void {
    this.server?.pause();
    this.agent?.pause();
    this.unwellSince ??= this.surroundings.clock.nowMs();
  }

  resume(): void {
    this.server?.resume();
    this.agent?.resume();
    if (this.databaseRunning) {
      this.unwellSince = null;
    }
  }

  /** An order of the machine's management agent, unlike a death: the machine is well without its server. */
  async stopDatabase(): Promise<void> {
    await this.inTurn(async () => {
      const { server } = this;
      this.server = null;
      await server?.stop('fast');
      await this.conceal(this.facts.databasePort);
    });
  }

  async startDatabase(): Promise<void> {
    await this.inTurn(() => this.bringUpDatabase());
  }

  /**
   * Puts another data directory in the place of its own; the server must not run. It will be a standby: one that came up as a
   * primary would be a second writer.
   */
  async refill(from: string): Promise<void> {
    await this.inTurn(async () => {
      if (this.databaseRunning) {
        throw new RejoinError(
          'ApiRefused',
          `the database of '${this.facts.machineId}' runs; stop it before its volume is replaced`,
        );
      }
      await rm(this.dataDirectory, { recursive: true, force: true });
      const { user } = this.surroundings.binaries;
      await copyDataDirectory(user, from, this.dataDirectory);
      await makeStandby(user, this.dataDirectory);
    });
  }

  /** Copies its data directory while its server runs, as a volume snapshot does. @throws ApiRefused when it does not run */
  async copyTo(directory: string): Promise<void> {
    await this.inTurn(async () => {
      if (!this.server?.running) {
        throw new RejoinError(
          'ApiRefused',
          `the database of '${this.facts.machineId}' does not run, so its data can't be held still for a snapshot`,
        );
      }
      await takeCopy(this.server.order, directory);
    });
  }

  /** Takes it off the network for a reason of its own, or back. Nothing that was sent to it is answered meanwhile. */
  async setIsolated(reason: Isolation, isolated: boolean): Promise<void> {
    if (isolated) {
      this.isolations.add(reason);
    } else {
      this.isolations.delete(reason);
    }
    const fault = this.isolations.size > 0 ? ({ state: 'partitioned' } as const) : null;
    const { relay } = this.surroundings;
    await Promise.all([
      relay.setFlow(anyMember, this.facts.machineId, fault),
      relay.setFlow(this.facts.machineId, anyMember, fault),
    ]);
  }

  /** Ends it and removes its directory and its addresses. */
  async destroy(): Promise<void> {
    await this.inTurn(async () => {
      this.gone = true;
      const { relay } = this.surroundings;
      await this.endProcesses();
      await rm(this.facts.directory, { recursive: true, force: true });
      // Whoever still waits for an answer learns that there will be none.
      this.isolations.clear();
      await relay.setFlow(anyMember, this.facts.machineId, { state: 'cut' });
      await relay.setFlow(anyMember, this.facts.machineId, null);
      await relay.setFlow(this.facts.machineId, anyMember, null);
    });
  }

  private async bringUpDatabase(): Promise<void> {
    if (this.databaseRunning) {
      return;
    }
    const { facts, template, surroundings } = this;
    const server = await startServer({
      binaries: surroundings.binaries,
      dataDirectory: this.dataDirectory,
      logFile: join(facts.directory, 'server.log'),
      host: facts.address,
      port: facts.privateDatabasePort,
      tls: (await template.authority?.issue([facts.address])) ?? null,
      durable: template.durable,
      settings: template.settings,
      administrator: template.administrator,
      roles: template.roles,
      databases: template.databases,
      onStarted: (started) => {
        surroundings.journal.addProcess(started);
      },
    });
    this.server = server;
    this.unwellSince = null;
    await this.nameProcesses();
    await this.expose(facts.databasePort);
    void server.ended.then(() => this.serverEnded(server));
  }

  /** Nothing listens any more, so connections are refused, as by any machine whose server died. */
  private async serverEnded(server: PostgresServer): Promise<void> {
    if (this.server === server) {
      this.unwellSince ??= this.surroundings.clock.nowMs();
      await this.conceal(this.facts.databasePort);
    }
  }

  private async startAgent(): Promise<void> {
    const { facts, template, surroundings } = this;
    if (template.agent === null || facts.agentPort === null || this.agent?.exit === null) {
      return;
    }
    const command = template.agent(facts);
    const agent = await GuardedProcess.start({
      argv: command.argv,
      environment: { PATH: process.env['PATH'] ?? '', ...command.environment },
      workingDirectory: facts.directory,
      logFile: join(facts.directory, 'agent.log'),
      user: null,
    });
    surroundings.journal.addProcess(agent);
    this.agent = agent;
    const { agentPort } = facts;
    await this.nameProcesses();
    await this.expose(agentPort);
    void agent.ended.then(async () => {
      if (this.agent === agent) {
        await this.conceal(agentPort);
      }
    });
  }

  private async endProcesses(): Promise<void> {
    const { server, agent } = this;
    // Both at once: the server of a machine never outlives its agent, nor the other way round.
    await Promise.all([server?.kill(), agent?.kill()]);
    await this.nameProcesses();
    await this.conceal(this.facts.databasePort);
    if (this.facts.agentPort !== null) {
      await this.conceal(this.facts.agentPort);
    }
    if (server !== null) {
      this.unwellSince ??= this.surroundings.clock.nowMs();
    }
  }

  private async nameProcesses(): Promise<void> {
    const running = [this.server?.process, this.agent].flatMap((one) => (one?.exit === null ? [one.pid] : []));
    await this.surroundings.relay.setProcesses(this.facts.machineId, running);
  }

  private async expose(port: number): Promise<void> {
    const { address, machineId } = this.facts;
    await this.surroundings.relay.expose({
      member: machineId,
      listen: { host: address, port },
      target: { host: address, port: privatePort(port) },
    });
  }

  private async conceal(port: number): Promise<void> {
    await this.surroundings.relay.conceal({ host: this.facts.address, port });
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(async () => {
      if (this.gone) {
        throw new RejoinError('NotFound', `machine '${this.facts.machineId}' is terminated`);
      }
      return work();
    });
    this.turn = mine.catch(() => undefined);
    return mine;
  }
}
