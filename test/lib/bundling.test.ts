import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { bundleStep } from '../../lib/constructs/bundling';

interface Bundled {
  readonly handler: (event: unknown) => Promise<unknown>;
}

test('a bundle is one file that runs by itself, with errors that keep their names', async () => {
  const { folder } = bundleStep('prober/probe-port', { codec: false });
  expect(readdirSync(folder)).toEqual(['index.js']);
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- as Lambda loads it
  const { handler } = require(join(folder, 'index.js')) as Bundled;
  await expect(handler({ host: '' })).rejects.toMatchObject({ name: 'InvalidInput' });
});

test('the same code gives the same folder', () => {
  const first = bundleStep('prober/probe-port', { codec: false });
  expect(bundleStep('prober/probe-port', { codec: false })).toEqual(first);
  expect(first.folder).toContain(first.hash.slice(0, 16));
});

test('a step that compresses ships its codec and the binary for Lambda', () => {
  const { folder, hash } = bundleStep('prober/probe-port', { codec: true });
  const binary = join(folder, 'node_modules', '@antoniomuso', 'lz4-napi-linux-x64-gnu', 'lz4-napi.linux-x64-gnu.node');
  expect(statSync(binary).size).toBeGreaterThan(100_000);
  expect(existsSync(join(folder, 'node_modules', 'lz4-napi', 'index.js'))).toBe(true);
  expect(hash).not.toBe(bundleStep('prober/probe-port', { codec: false }).hash);
});

test('an entry that does not build names the file', () => {
  expect(() => bundleStep('prober/no-such-step', { codec: false })).toThrow('lambdas/prober/no-such-step.ts');
});
