import { createServer, type Server } from 'node:net';
import { randomInt } from 'node:crypto';
import { RejoinError } from '../../core/errors';

/** A listener on this port of 127.R.0.1 is the claim to all of 127.R.0.0/16; the system drops it when its process ends. */
const claimPort = 7_431;
const tries = 100;
/** On macOS each address has to be added by hand, so all runs use the same ones. */
const addedRange = 83;

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
   * @throws ApiRefused where the system answers on 127.0.0.1 only (macOS), with the command that adds addresses
   */
  static async claim(firstChoice: number = ownChoice()): Promise<LoopbackRange> {
    for (let attempt = 0; attempt < tries; attempt += 1) {
      const prefix = `127.${((firstChoice - 1 + attempt) % 254) + 1}`;
      const claim = await listen(`${prefix}.0.1`);
      if (claim !== null) {
        return new LoopbackRange(prefix, claim);
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

  async release(): Promise<void> {
    await new Promise((resolve) => this.claim.close(resolve));
  }
}

/** Why no other range is to be tried after this failure to listen on `host`; null: another run has this one. */
export function refusalOf(error: NodeJS.ErrnoException, host: string): Error | null {
  if (error.code === 'EADDRINUSE') {
    return null;
  }
  return error.code === 'EADDRNOTAVAIL' ? noFurtherAddresses(host, error) : error;
}

/** Null when the range is claimed already. */
async function listen(host: string): Promise<Server | null> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const refusal = refusalOf(error, host);
      if (refusal === null) {
        resolve(null);
      } else {
        reject(refusal);
      }
    });
    server.listen(claimPort, host, () => {
      // A claim alone keeps no process alive.
      resolve(server.unref());
    });
  });
}

/** Where the whole of 127.0.0.0/8 answers, runs seldom meet; elsewhere it is the range that the command below adds. */
function ownChoice(): number {
  return process.platform === 'linux' ? randomInt(1, 255) : addedRange;
}

function noFurtherAddresses(host: string, cause: Error): RejoinError {
  const command = `for a in 0.1 1.{1..16} 250.{1..4}; do sudo ifconfig lo0 alias 127.${addedRange}.$a; done`;
  return new RejoinError(
    'ApiRefused',
    `this system has no loopback address ${host}, and each machine of a run needs one of its own (or end the other run, where there is one); add addresses until the next boot with '${command}'`,
    { cause },
  );
}
