import { messageOf, RejoinError } from '../core/errors';

const fullDisk = ['ENOSPC', 'EDQUOT'];

/** NoDiskSpace where a disk is full; anything else is given back as it was thrown. */
export function nameFullDisk(thrown: unknown, what: string): unknown {
  const code = (thrown as NodeJS.ErrnoException).code ?? '';
  return fullDisk.includes(code)
    ? new RejoinError('NoDiskSpace', `${what} can't be written: ${messageOf(thrown)}; make room on its disk`, {
        cause: thrown,
      })
    : thrown;
}
