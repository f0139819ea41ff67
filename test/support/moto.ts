import { spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { clientSettings } from '../../adapters/aws/client-settings';

/** A `moto_server` of this test file, and what SDK clients need to talk to it instead of AWS. */
export interface Moto {
  readonly url: string;
  readonly client: ReturnType<typeof clientSettings> & {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  };
  /** Forgets everything that was made. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

const region = 'eu-central-1';
/** Importing all of moto takes seconds on a busy computer. */
const startLimitMs = 60_000;
const checkMs = 50;

/** Starts a `moto_server` on a free loopback port, and waits until it answers. */
export async function startMoto(): Promise<Moto> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = spawn('moto_server', ['-H', '127.0.0.1', '-p', String(port)], {
    stdio: ['ignore', 'ignore', 'pipe'],
    // Its own group: the command may be a script that starts Python.
    detached: true,
    env: { ...process.env, MOTO_EC2_LOAD_DEFAULT_AMIS: 'true', MOTO_ALLOW_NONEXISTENT_REGION: 'false' },
  });
  let said = '';
  server.stderr.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString()}`.slice(-4_000);
  });
  const stop = (): void => {
    killGroup(server);
  };
  process.once('exit', stop);
  const close = async (): Promise<void> => {
    process.off('exit', stop);
    if (server.exitCode === null && server.signalCode === null) {
      const ended = new Promise((resolve) => server.once('exit', resolve));
      killGroup(server);
      await ended;
    }
  };
  try {
    await answers(url, server, () => said);
  } catch (thrown) {
    await close();
    throw thrown;
  }
  return {
    url,
    client: {
      ...clientSettings(30_000),
      endpoint: url,
      region,
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    },
    reset: async () => {
      await fetch(`${url}/moto-api/reset`, { method: 'POST' });
    },
    close,
  };
}

async function answers(url: string, server: ChildProcess, said: () => string): Promise<void> {
  const failure = new Promise<never>((_resolve, reject) => {
    server.once('error', (error) => {
      reject(
        new Error("moto_server did not start; run 'pip install -r test/support/python-requirements.txt'", {
          cause: error,
        }),
      );
    });
    server.once('exit', (code) => {
      reject(new Error(`moto_server ended with ${String(code)}: ${said()}`));
    });
  });
  const ready = async (): Promise<void> => {
    const givesUpAt = performance.now() + startLimitMs;
    for (;;) {
      const up = await fetch(`${url}/moto-api/`).then(
        (answer) => answer.ok,
        () => false,
      );
      if (up) {
        return;
      }
      if (performance.now() > givesUpAt) {
        throw new Error(`moto_server did not answer within ${startLimitMs} ms: ${said()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, checkMs));
    }
  };
  failure.catch(() => undefined);
  await Promise.race([ready(), failure]);
}

function killGroup(server: ChildProcess): void {
  if (server.pid !== undefined && server.exitCode === null && server.signalCode === null) {
    process.kill(-server.pid, 'SIGKILL');
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') {
    throw new Error('the system gave no free port');
  }
  return address.port;
}
