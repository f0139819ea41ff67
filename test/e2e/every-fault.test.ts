import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeRecovery } from '../../local/scenarios/node-recovery';

const folder = join(__dirname, 'node-recovery');
const tests = readdirSync(folder)
  .filter((name) => name.endsWith('.e2e.test.ts'))
  .map((name) => readFileSync(join(folder, name), 'utf8'));

test.each([...nodeRecovery.faults, ...nodeRecovery.ablations])(
  "'$name' of the rehearsal has an automated test",
  ({ name }) => {
    expect(tests.some((text) => text.includes(`'${name}'`))).toBe(true);
  },
);
