import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Jest's global setup: everything that tests and the libraries under them make in the folder for temporary files is in one
 * of its own, which goes when they end. Others may pass it, as servers run as another user where the tests run as root.
 */
export default function makeTemporaryFolder(): void {
  const folder = mkdtempSync(join(tmpdir(), 'rejoin-tests-'));
  chmodSync(folder, 0o711);
  process.env['TMPDIR'] = folder;
}
