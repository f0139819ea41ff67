import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSettings } from '../../lib/config/load';
import { projectRoot } from '../../lib/constructs/bundling';
import { makeApp } from '../../lib/stacks/make-app';
import { exampleFile } from './support/example-app';

/** cfn-lint reads schemas of every resource type before it begins. */
const timeoutMs = 300_000;

test(
  'cfn-lint finds nothing in the templates',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'rejoin-cfn-lint-'));
    try {
      makeApp(loadSettings(exampleFile).settings, { bundle: false, validate: false, outdir: folder }).synth();
      const templates = readdirSync(folder).filter((file) => file.endsWith('.template.json'));
      expect(templates).toHaveLength(4);
      const { error, status, stdout, stderr } = spawnSync(
        'cfn-lint',
        ['--format', 'parseable', '--', ...templates.map((file) => join(folder, file))],
        { cwd: projectRoot, encoding: 'utf8' },
      );
      const problem = error === undefined ? '' : `cfn-lint can't be run (${error.message}); run 'pip install cfn-lint'`;
      expect({ problem, stdout, stderr, status }).toEqual({ problem: '', stdout: '', stderr: '', status: 0 });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  timeoutMs,
);
