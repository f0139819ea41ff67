import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readInput, register } from '../../bin/register';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rejoin-register-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function fileWith(text: string): string {
  const file = join(folder, 'owners.json');
  writeFileSync(file, text);
  return file;
}

test('owners are what the databases say, a rule, or those of a file', () => {
  expect(readInput('orders', 'databases')).toEqual({ cluster: 'orders', owners: 'databases' });
  expect(readInput('orders', 'rule')).toEqual({ cluster: 'orders', owners: 'rule' });
  const owners = { shard_0000: { primary: 'node-1', follower: 'node-2' } };
  expect(readInput('orders', fileWith(JSON.stringify(owners)))).toEqual({ cluster: 'orders', owners });
});

test.each([
  ['no file', 'Orders', 'rule', 'cluster: use 1 to 40'],
  ['no JSON', 'orders', '{', 'is neither'],
  ['no shard', 'orders', '{"seven": {"primary": "node-1", "follower": "node-2"}}', 'owners'],
  ['one owner', 'orders', '{"shard_0007": {"primary": "node-1"}}', 'owners'],
])('a mistake is one sentence before anything is started: %s', (_what, cluster, owners, message) => {
  const given = owners.startsWith('{') ? fileWith(owners) : owners;
  expect(() => readInput(cluster, given)).toThrow(message);
});

test.each([[['orders', 'invoices']], [[]], [['orders', '--owner', 'rule']]])(
  'a wrong command line is refused: %j',
  async (argv) => {
    await expect(register(argv, new AbortController().signal)).rejects.toMatchObject({ name: 'InvalidInput' });
  },
);
