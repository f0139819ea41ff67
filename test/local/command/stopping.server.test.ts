import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../../contract/gaps';
import { living, Workplace } from './support/command-line';

const small = ['rehearse', '--rows', '1000', '--shards', '2', '--nodes', '3', '--rate', '20'];
/** A killed run's processes end by themselves within this. */
const guardedMs = 15_000;

let workplace: Workplace;
beforeEach(() => {
  workplace = new Workplace();
});
afterEach(async () => {
  await workplace.remove();
});

/** Nothing of a run is in the folder where it was started, nor among its temporary files. */
function expectNothingLeft(): void {
  const state = join(workplace.folder, '.rejoin');
  expect(existsSync(state) ? readdirSync(state) : []).toEqual([]);
  expect(readdirSync(join(workplace.folder, 'tmp')).filter((name) => !name.startsWith('tsx-'))).toEqual([]);
}

test.each([
  ['while the app is synthesized', 'synthesizes the app'],
  ['while rows are made', 'rows on two owners'],
])(
  'Ctrl-C %s: exit code 130, no process, no file',
  async (_when, words) => {
    const run = workplace.start(small);
    await run.says(words);
    const { processes } = run;
    run.signal('SIGINT');
    expect(await run.ended).toMatchObject({
      code: 130,
      errors: 'rejoin: stops in order; once more, and it ends at once\n',
    });
    expect(living(processes)).toEqual([]);
    expectNothingLeft();
  },
  180_000,
);

test('a second run in the same folder is refused in a sentence, and Ctrl-C under load leaves nothing', async () => {
  const first = workplace.start(small);
  await first.says('database servers');
  const second = await workplace.start([...small, '--json']).ended;
  expect(second).toEqual({
    code: 2,
    output: '',
    errors: expect.stringMatching(
      new RegExp(`^rejoin: a run \\(process ${first.pid}\\) uses [^\\n]*; wait for its end, [^\\n]*\\n$`),
    ) as string,
  });
  await first.says('starts a load');
  const { processes } = first;
  expect(processes.length).toBeGreaterThan(10);
  first.signal('SIGINT');
  expect(await first.ended).toMatchObject({ code: 130 });
  await eventually(
    async () => living(processes),
    (left) => left.length === 0,
    guardedMs,
  );
  expectNothingLeft();
}, 180_000);

test('what is thrown where nobody waits for it ends the run in order, and leaves nothing', async () => {
  const program = join(workplace.folder, 'throws.mjs');
  const now = join(workplace.folder, 'now');
  writeFileSync(
    program,
    `import { existsSync } from 'node:fs';
     if (process.argv[1]?.endsWith('rejoin.ts')) {
       const look = setInterval(() => {
         if (existsSync(${JSON.stringify(now)})) {
           clearInterval(look);
           throw new Error('nobody waits for this');
         }
       }, 20);
       look.unref();
     }`,
  );
  const run = workplace.start(small, { NODE_OPTIONS: `--import ${program}` });
  await run.says('rows on two owners');
  const { processes } = run;
  writeFileSync(now, '');
  expect(await run.ended).toMatchObject({
    code: 2,
    errors: expect.stringMatching(/^rejoin: this is a defect: Error: nobody waits for this\n/) as string,
  });
  expect(living(processes)).toEqual([]);
  expectNothingLeft();
}, 180_000);

test('what a run has left that was killed is ended and removed by the next one, which works', async () => {
  const killed = workplace.start(small);
  await killed.says('rows on two owners');
  const { processes } = killed;
  expect(processes.length).toBeGreaterThan(3);
  killed.signal('SIGKILL');
  await killed.ended;
  expect(readdirSync(join(workplace.folder, '.rejoin'))).toEqual(['rehearsal']);

  const next = workplace.start(small);
  await next.says('which a run has left that was killed');
  await next.says('rows on two owners');
  expect(living(processes)).toEqual([]);
  next.signal('SIGTERM');
  expect(await next.ended).toMatchObject({ code: 143 });
  expectNothingLeft();
}, 180_000);
