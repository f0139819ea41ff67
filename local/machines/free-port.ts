import { createServer } from 'node:net';
import { RejoinError } from '../../core/errors';
import { privatePort } from './templates';

const tries = 100;

/**
 * The first port from `first` on that machines can listen on, with the one at which they really listen. A process that
 * listens on all addresses of the computer, as a database of one's own may, shuts them out of its port.
 *
 * @throws ApiRefused when there is none among the next hundred
 */
export async function freePort(first: number): Promise<number> {
  for (let port = first; port < first + tries; port += 1) {
    if ((await isFree(port)) && (await isFree(privatePort(port)))) {
      return port;
    }
  }
  throw new RejoinError(
    'ApiRefused',
    `ports ${first} to ${first + tries - 1} of this computer are all taken; end a process that listens on one of them`,
  );
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') {
        resolve(false);
      } else {
        reject(error);
      }
    });
    server.listen(port, '127.0.0.1', () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
