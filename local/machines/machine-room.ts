import { createHash } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RejoinError } from '../../core/errors';
import type { Clock } from '../../core/ports/clock';
import { findBinaries, type PostgresBinaries } from '../postgresql/binaries';
import { canWrite, makeServerDirectory, makeTemplate } from '../postgresql/data-directory';
import { Relay } from '../relay/relay';
import { Journal } from './journal';
import { LoopbackRange } from './loopback';
import { Machine, type MachineSurroundings } from './machine';
import { privatePort, type ClusterTemplate } from './templates';

export interface MachineRoomOptions {
  readonly clock: Clock;
  /** Where data, logs and the journal are put; removed by `close`, except for what others put there. */
  readonly stateDirectory: string;
  readonly clusters: readonly ClusterTemplate[];
}

/** A copy of a node's data at one moment. */
export interface KeptSnapshot {
  readonly snapshotId: string;
  readonly cluster: string;
  readonly nodeId: string;
  readonly machineId: string;
  readonly takenAtMs: number;
  readonly directory: string;
}

export interface MachineOrder {
  readonly machineId: string;
  readonly cluster: string;
  readonly nodeId: string;
  readonly site: string;
  /** `none`: nothing but a database server runs on it. @default 'as the cluster has it' */
  readonly agent?: 'none' | 'as the cluster has it';
  /** The snapshot of the volume that is attached to it, beside its data; null: none is. @default null */
  readonly volumeSnapshot?: string | null;
}

/** What all machines share. */
interface House extends MachineSurroundings {
  readonly range: LoopbackRange;
  /** Everything that servers read and write is below it. */
  readonly root: string;
}

/**
 * Where all machines of a run stand, whichever service they are rented from: addresses, directories, snapshots, the network
 * between them. `close` ends and removes everything.
 */
export class MachineRoom {
  private readonly machines = new Map<string, Machine>();
  private readonly kept: KeptSnapshot[] = [];
  private readonly templates = new Map<string, Promise<string>>();
  private addresses = 0;
  private snapshotsBegun = 0;
  private closing = false;

  private constructor(
    private readonly clusters: readonly ClusterTemplate[],
    private readonly house: House,
  ) {}

  /** @throws NotFound without PostgreSQL for this platform; ApiRefused without addresses, or while another run uses the directory */
  static async open(options: MachineRoomOptions): Promise<MachineRoom> {
    const binaries = await findBinaries();
    const journal = await Journal.open(options.stateDirectory);
    let range: LoopbackRange | null = null;
    try {
      range = await LoopbackRange.claim();
      const root = await placeFor(binaries, options.stateDirectory, journal);
      const relay = await Relay.start();
      return new MachineRoom(options.clusters, { clock: options.clock, binaries, journal, root, range, relay });
    } catch (thrown) {
      await range?.release();
      await journal.undo();
      throw thrown;
    }
  }

  get clock(): Clock {
    return this.house.clock;
  }

  get relay(): Relay {
    return this.house.relay;
  }

  /** Where the files of all machines are. */
  get directory(): string {
    return this.house.root;
  }

  /** As the server says it: `18.4`. */
  get engineVersion(): string {
    return /^\d+\.\d+/.exec(this.house.binaries.version)?.[0] ?? this.house.binaries.version;
  }

  /** @throws ApiRefused, naming the clusters that there are */
  cluster(name: string): ClusterTemplate {
    const found = this.clusters.find((template) => template.cluster === name);
    if (found === undefined) {
      const known = this.clusters.map((template) => template.cluster).join(', ');
      throw new RejoinError('ApiRefused', `there is no cluster '${name}' (there is: ${known})`);
    }
    return found;
  }

  /** The address that probes from a site are sent from. */
  async siteAddress(site: string): Promise<string> {
    const sites = [...new Set(this.clusters.flatMap((template) => template.sites))].sort();
    const number = sites.indexOf(site);
    if (number < 0) {
      throw new RejoinError('InvalidInput', `there is no site '${site}' (there is: ${sites.join(', ')})`);
    }
    const address = this.house.range.siteAddress(number);
    await this.relay.nameSource(address, siteMember(site));
    return address;
  }

  /** The address that those come from who are at no site: functions, applications. */
  async outsideAddress(): Promise<string> {
    const address = this.house.range.outsideAddress();
    await this.relay.nameSource(address, 'outside');
    return address;
  }

  /** Makes a machine that is switched off and has no data yet. @throws ApiRefused once it closes */
  make(order: MachineOrder): Machine {
    if (this.closing) {
      throw new RejoinError('ApiRefused', `'${order.machineId}' can't be made: the run ends`);
    }
    const template = this.cluster(order.cluster);
    const agentPort = order.agent === 'none' ? null : template.agentPort;
    const address = this.nextAddress();
    const directory = join(this.house.root, order.machineId);
    const machine = new Machine(
      {
        machineId: order.machineId,
        cluster: order.cluster,
        nodeId: order.nodeId,
        site: order.site,
        address,
        databasePort: template.databasePort,
        privateDatabasePort: privatePort(template.databasePort),
        agentPort,
        privateAgentPort: agentPort === null ? null : privatePort(agentPort),
        attachedSnapshot: order.volumeSnapshot ?? null,
        directory,
      },
      template,
      this.house,
    );
    this.machines.set(order.machineId, machine);
    return machine;
  }

  /** Gives a new machine its data and switches it on. */
  async install(machine: Machine, snapshotId: string | null): Promise<void> {
    await machine.fill(
      snapshotId === null ? await this.emptyData(machine.facts.cluster) : this.snapshot(snapshotId).directory,
    );
    await machine.boot();
  }

  /** @throws NotFound */
  machine(machineId: string): Machine {
    const found = this.machines.get(machineId);
    if (found === undefined) {
      throw new RejoinError(
        'NotFound',
        `there is no machine '${machineId}' (there is: ${[...this.machines.keys()].join(', ')})`,
      );
    }
    return found;
  }

  /** Ends a machine and all that it was. */
  async destroy(machineId: string): Promise<void> {
    const machine = this.machines.get(machineId);
    this.machines.delete(machineId);
    await machine?.destroy();
  }

  /** Takes a snapshot of a running machine. */
  async takeSnapshot(machineId: string, snapshotId = this.nextSnapshotId(machineId)): Promise<KeptSnapshot> {
    const { facts } = this.machine(machineId);
    const takenAtMs = this.clock.nowMs();
    const directory = join(this.house.root, snapshotId);
    await this.machine(machineId).copyTo(directory);
    const snapshot = { snapshotId, cluster: facts.cluster, nodeId: facts.nodeId, machineId, takenAtMs, directory };
    this.kept.push(snapshot);
    return snapshot;
  }

  /** An id that no snapshot has yet. */
  nextSnapshotId(machineId: string): string {
    this.snapshotsBegun += 1;
    return `snap-${idDigits(`${machineId}/${this.snapshotsBegun}`)}`;
  }

  /** Newest first. */
  get snapshots(): readonly KeptSnapshot[] {
    return this.kept.toReversed();
  }

  /** @throws ApiRefused when there is none of that name */
  snapshot(snapshotId: string): KeptSnapshot {
    const found = this.kept.find((snapshot) => snapshot.snapshotId === snapshotId);
    if (found === undefined) {
      throw new RejoinError(
        'ApiRefused',
        `there is no snapshot '${snapshotId}' (there is: ${this.kept.map((snapshot) => snapshot.snapshotId).join(', ') || 'none'})`,
      );
    }
    return found;
  }

  /** Ends every process and removes every file, or keeps files until the next run in the same state directory. */
  async close(options: { readonly keepFiles?: boolean } = {}): Promise<void> {
    const keep = options.keepFiles ?? false;
    this.closing = true;
    // A template that is being made is made to its end: initdb would go on in a directory that is gone.
    await Promise.allSettled(this.templates.values());
    await Promise.all([...this.machines.values()].map((machine) => (keep ? machine.powerOff() : machine.destroy())));
    this.machines.clear();
    await this.relay.close();
    await this.house.range.release();
    if (!keep) {
      await rm(this.house.root, { recursive: true, force: true });
    }
    this.house.journal.close(keep ? 'files' : 'nothing');
  }

  private nextAddress(): string {
    this.addresses += 1;
    return this.house.range.machineAddress(this.addresses - 1);
  }

  /** The data directory that new machines are copied from: made once a run for each administrator. */
  private async emptyData(cluster: string): Promise<string> {
    const { administrator } = this.cluster(cluster);
    const name = idDigits(JSON.stringify(administrator));
    const directory = join(this.house.root, `template-${name}`);
    const made =
      this.templates.get(name) ?? makeTemplate(this.house.binaries, directory, administrator).then(() => directory);
    this.templates.set(name, made);
    return made;
  }
}

/** What the relay calls a site's own network. */
export function siteMember(site: string): string {
  return `site:${site}`;
}

/** 17 digits as AWS's ids have them; the same name gives the same id. */
export function idDigits(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 17);
}

/** A directory of this run's own: below the state directory, unless the user that servers run as can't get there. */
async function placeFor(binaries: PostgresBinaries, stateDirectory: string, journal: Journal): Promise<string> {
  for (const parent of [stateDirectory, tmpdir()]) {
    const place = await mkdtemp(join(parent, 'rejoin-machines-'));
    journal.addDirectory(place);
    await chmod(place, 0o711);
    const probe = join(place, 'probe');
    await makeServerDirectory(binaries.user, probe);
    const reachable = await canWrite(binaries.user, probe);
    await rm(probe, { recursive: true });
    if (reachable) {
      return place;
    }
    await rm(place, { recursive: true });
  }
  throw new RejoinError(
    'ApiRefused',
    `user '${binaries.user?.name ?? ''}', as whom servers run, can get neither to ${stateDirectory} nor to ${tmpdir()}; let others pass one of them ('chmod o+x')`,
  );
}
