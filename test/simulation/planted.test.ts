import { drawPlan } from './plan';
import { plantedBugs, type PlantedBug } from './plants';
import { simulate } from './simulate';

/** REJOIN_SEEDS=5000 looks for each from seed 1, in so many seeds; else only from a seed that is known to be near. */
const asked = process.env['REJOIN_SEEDS'];
const mostSeeds = Number(asked ?? '10');

interface Find {
  readonly seed: number;
  readonly invariant: string;
}

async function find({ plant, breaks, seed = 1 }: PlantedBug): Promise<Find | null> {
  const first = asked === undefined ? seed : 1;
  for (let next = first; next < first + mostSeeds; next += 1) {
    const { violations } = await simulate(drawPlan(next, ['sharded', 'replicated']), plant);
    const broken = violations.find(({ invariant }) => breaks.includes(invariant));
    if (broken !== undefined) {
      return { seed: next, invariant: broken.invariant };
    }
  }
  return null;
}

describe('bugs that are planted on purpose', () => {
  const table: string[] = [];

  afterAll(() => {
    process.stdout.write(`found by seed:\n${table.join('\n')}\n`);
  });

  it.each(plantedBugs.map((bug) => [bug.name, bug] as const))(
    '%s',
    async (name, bug) => {
      const found = await find(bug);
      table.push(`${String(found?.seed ?? 'none').padStart(6)}  ${name}: ${found?.invariant ?? 'not found'}`);
      expect(found).not.toBeNull();
    },
    600_000,
  );
});
