import { createServer, type Server } from 'node:net';
import { randomInt } from 'node:crypto';
import { RejoinError } from '../../core/errors';

/** A listener on this port of 127.R.0.1 is the claim to all of 127.R.0.0/16; the system drops it when its process ends. */
const claimPort = 7_431;
const tries = 100;
/** On macOS each address has to be added by hand, so all runs use the same ones. */
const addedRange = 83;

/** Who has which of a range's addresses. */
const machinesPerSubnet = 250;
const machineSubnet = 1;
const siteSubnet = 250;
const outsideHost = 254;

/** Adds what a rehearsal with eight nodes uses: the claim's address, machines with their replacements, sites, the outside. */
const addingCommand = `for a in 0.1 ${machineSubnet}.{1..16} ${siteSubnet}.{1..4} ${siteSubnet}.${outsideHost}; do sudo ifconfig lo0 alias 127.${addedRange}.$a; done`;

/** What a range is claimed from. */
export interface LoopbackSystem {
  readonly platform: NodeJS.Platform;
  /** Listens at an address, or rejects with the system's error. */
  listen(port: number, host: string): Promise<Server>;
}

const thisSystem: LoopbackSystem = { platform: process.platform, listen };

/** Loopback addresses that no other run uses: 127.R.0.0 to 127.R.255.255. */
export class LoopbackRange {
  private constructor(
    /** The first two numbers, such as `127.83`. */
    readonly prefix: string,
    private readonly claim: Server,
  ) {}

  /**
   * Claims a free range.
   *
   * @param first the number of the first one that is tried; null: as the system needs it
   * @throws ApiRefused where the system answers on 127.0.0.1 only (macOS), with the command that adds addresses
   */
  static async claim(first: number | null = null, system: LoopbackSystem = thisSystem): Promise<LoopbackRange> {
    const firstChoice = first ?? usualChoice(system.platform);
    for (let attempt = 0; attempt < tries; attempt += 1) {
      const prefix = `127.${((firstChoice - 1 + attempt) % 254) + 1}`;
      const host = `${prefix}.0.1`;
      try {
        return new LoopbackRange(prefix, await system.listen(claimPort, host));
      } catch (thrown) {
        refuseUnlessTaken(thrown, host, system.platform);
      }
    }
    throw new RejoinError(
      'ApiRefused',
      `no free range of loopback addresses in ${tries} tries; end other runs first, or the process that listens on port ${claimPort} of all addresses`,
    );
  }

  /** The address with these two last numbers. */
  address(third: number, fourth: number): string {
    return `${this.prefix}.${third}.${fourth}`;
  }

  /** Of the machine with this number, from 0. */
  machineAddress(number: number): string {
    return this.address(machineSubnet + Math.floor(number / machinesPerSubnet), (number % machinesPerSubnet) + 1);
  }

  /** Of the site with this number, from 0. */
  siteAddress(number: number): string {
    return this.address(siteSubnet, number + 1);
  }

  /** Of those who are at no site. */
  outsideAddress(): string {
    return this.address(siteSubnet, outsideHost);
  }

  async release(): Promise<void> {
    await new Promise((resolve) => this.claim.close(resolve));
  }
}

async function listen(port: number, host: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      // A claim alone keeps no process alive.
      resolve(server.unref());
    });
  });
}

/** Returns where another run has the range; otherwise no other range is to be tried. */
function refuseUnlessTaken(thrown: unknown, host: string, platform: NodeJS.Platform): void {
  const { code } = thrown as NodeJS.ErrnoException;
  if (code === 'EADDRNOTAVAIL') {
    throw noFurtherAddresses(host, platform, thrown);
  }
  if (code !== 'EADDRINUSE') {
    throw thrown;
  }
}

/** Where the whole of 127.0.0.0/8 answers, runs seldom meet; elsewhere it is the range that the command above adds. */
function usualChoice(platform: NodeJS.Platform): number {
  return platform === 'linux' ? randomInt(1, 255) : addedRange;
}

function noFurtherAddresses(host: string, platform: NodeJS.Platform, cause: unknown): RejoinError {
  const add =
    platform === 'linux'
      ? "add the loopback network as root with 'ip address add 127.0.0.1/8 dev lo'"
      : `add addresses until the next boot with '${addingCommand}'`;
  return new RejoinError(
    'ApiRefused',
    `this system has no loopback address ${host}, and each machine of a run needs one of its own (or end the other run, where there is one); ${add}`,
    { cause },
  );
}
