import { connect, isIP } from 'node:net';
import * as z from 'zod';
import { RejoinError } from '../../core/errors';
import type { ProbeAnswer } from '../../core/ports/surroundings';

const inputSchema = z.strictObject({
  host: z.string().min(1).max(253),
  port: z.int().min(1).max(65_535),
  timeoutMs: z.int().min(1).max(10_000),
});

const answers: Readonly<Record<string, ProbeAnswer>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'refused',
  ETIMEDOUT: 'timed out',
  // The network has nobody at this address: the same as no answer.
  EHOSTUNREACH: 'timed out',
  EHOSTDOWN: 'timed out',
};

/**
 * Asks from its own subnet whether a TCP port answers, and sends nothing to it. One function a site.
 *
 * @throws InvalidInput; ApiRefused when nothing can be said, such as for a name without an address: an unknown is no proof
 */
export const handler = async (event: unknown): Promise<{ readonly answer: ProbeAnswer }> => {
  const parsed = inputSchema.safeParse(event);
  if (!parsed.success) {
    throw new RejoinError('InvalidInput', `the prober takes {host, port, timeoutMs}: ${z.prettifyError(parsed.error)}`);
  }
  return { answer: await probe(parsed.data) };
};

function probe({ host, port, timeoutMs }: z.infer<typeof inputSchema>): Promise<ProbeAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    let hasAddress = isIP(host) !== 0;
    const unknown = (why: string, cause?: unknown): void => {
      reject(new RejoinError('ApiRefused', `can't tell whether ${host}:${port} answers: ${why}`, { cause }));
    };
    // The socket's own timeout does not cover the search for the address.
    const timer = setTimeout(() => {
      socket.destroy();
      if (hasAddress) {
        resolve('timed out');
      } else {
        unknown(`its address was not found within ${timeoutMs} ms`);
      }
    }, timeoutMs);
    socket.once('lookup', (error: Error | null) => {
      hasAddress = error === null;
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.destroy();
      resolve('open');
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      const answer = answers[error.code ?? ''];
      if (answer === undefined) {
        unknown(error.message, error);
      } else {
        resolve(answer);
      }
    });
  });
}
