import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '../../lib/constructs/bundling';

/** Says on standard error which files are out of date, and the command that writes them. */
function check(): { status: number | null; stderr: string } {
  const argv = ['--import', 'tsx', join(projectRoot, 'scripts', 'write-docs.ts'), '--check'];
  return spawnSync(process.execPath, argv, { cwd: projectRoot, encoding: 'utf8' });
}

test("permissions, pictures and the editors' schema are what the code says", () => {
  expect(check()).toMatchObject({ stderr: '', status: 0 });
});
