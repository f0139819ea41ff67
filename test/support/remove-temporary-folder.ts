import { rmSync } from 'node:fs';
import { basename } from 'node:path';
import { tmpdir } from 'node:os';

/** Jest's global teardown. */
export default function removeTemporaryFolder(): void {
  if (basename(tmpdir()).startsWith('rejoin-tests-')) {
    rmSync(tmpdir(), { recursive: true, force: true });
  }
}
