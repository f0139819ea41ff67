import { createServer, type Server } from 'node:net';
import { LoopbackRange, type LoopbackSystem } from '../../../local/machines/loopback';

test('gives each claim a range of its own, and a released one again', async () => {
  const first = await LoopbackRange.claim(83);
  const second = await LoopbackRange.claim(83);
  expect(second.prefix).not.toBe(first.prefix);
  expect(first.address(1, 2)).toBe(`${first.prefix}.1.2`);
  await first.release();
  const third = await LoopbackRange.claim(Number(first.prefix.split('.')[1]));
  expect(third.prefix).toBe(first.prefix);
  await second.release();
  await third.release();
});

/** A system that answers at these addresses only; `taken` ones are another run's. */
function systemWith(
  platform: NodeJS.Platform,
  addresses: readonly string[],
  taken: readonly string[] = [],
): LoopbackSystem {
  const failure = (code: string) => Object.assign(new Error(`listen ${code}`), { code });
  return {
    platform,
    listen: async (_port, host): Promise<Server> => {
      if (!addresses.includes(host)) {
        throw failure('EADDRNOTAVAIL');
      }
      if (taken.includes(host)) {
        throw failure('EADDRINUSE');
      }
      return new Promise((resolve) => {
        const server = createServer().listen(0, '127.0.0.1', () => {
          resolve(server);
        });
      });
    },
  };
}

async function refusal(system: LoopbackSystem): Promise<{ readonly name: string; readonly message: string }> {
  return LoopbackRange.claim(null, system).then(
    () => ({ name: 'claimed', message: '' }),
    (thrown: unknown) => thrown as Error,
  );
}

/** What a shell makes of the words of the command's loop. */
function expanded(command: string): readonly string[] {
  const words = /for a in (.*?); do /.exec(command)?.[1]?.split(' ') ?? [];
  return words.flatMap((word) => {
    const [, before = '', from = '', to = ''] = /^(.*)\{(\d+)\.\.(\d+)\}$/.exec(word) ?? [];
    const numbers = Array.from({ length: Number(to) - Number(from) + 1 }, (_, index) => Number(from) + index);
    return from === '' ? [word] : numbers.map((number) => `${before}${number}`);
  });
}

describe('on macOS, which answers at 127.0.0.1 only', () => {
  test('the command that adds addresses is in the sentence', async () => {
    const { name, message } = await refusal(systemWith('darwin', ['127.0.0.1']));
    expect(name).toBe('ApiRefused');
    expect(message).toMatch(
      /^this system has no loopback address 127\.83\.0\.1, [^\n]*'for a in [^\n]*; do sudo ifconfig lo0 alias 127\.83\.\$a; done'$/,
    );
  });

  test('the command adds every address that a rehearsal of eight nodes uses, and then it has its range', async () => {
    const { message } = await refusal(systemWith('darwin', ['127.0.0.1']));
    const added = expanded(message).map((address) => `127.83.${address}`);
    const range = await LoopbackRange.claim(null, systemWith('darwin', added));
    const machines = Array.from({ length: 16 }, (_, number) => range.machineAddress(number));
    const sites = Array.from({ length: 3 }, (_, number) => range.siteAddress(number));
    const missing = [...machines, ...sites, range.outsideAddress()].filter((address) => !added.includes(address));
    await range.release();
    expect(missing).toEqual([]);
  });

  test('a second run at the same time is told about the first', async () => {
    const { name, message } = await refusal(systemWith('darwin', ['127.83.0.1'], ['127.83.0.1']));
    expect(name).toBe('ApiRefused');
    expect(message).toContain('no loopback address 127.84.0.1');
    expect(message).toContain('end the other run');
  });
});

test('a Linux without the loopback network is told how Linux gets it', async () => {
  const { message } = await refusal(systemWith('linux', ['127.0.0.1']));
  expect(message).toMatch(/as root with 'ip address add 127\.0\.0\.1\/8 dev lo'$/);
});

test('where every range is taken, who may have them is in the sentence', async () => {
  const all = Array.from({ length: 254 }, (_, index) => `127.${index + 1}.0.1`);
  const { name, message } = await refusal(systemWith('linux', all, all));
  expect(name).toBe('ApiRefused');
  expect(message).toMatch(/^no free range [^\n]*; end other runs first, or the process that listens on port 7431 /);
});

test('another failure to listen is given as it is', async () => {
  const listen = async (): Promise<Server> => {
    throw Object.assign(new Error('listen EACCES'), { code: 'EACCES' });
  };
  expect(await refusal({ platform: 'linux', listen })).toMatchObject({ message: 'listen EACCES' });
});
