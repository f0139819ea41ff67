import { join } from 'node:path';
import { broken, rehearsalTimeoutMs, smallRehearsal } from '../small-rehearsal';

const fixture = (name: string): string =>
  join(__dirname, '..', '..', 'engines', 'postgresql', 'dump', 'fixtures', `${name}.sql`);

/** The same recovery on a dump with every peculiarity that is handled. */
test.each(['kill', 'zombie'])(
  'fault %s on a dump ends as it must',
  async (fault) => {
    const report = await smallRehearsal({ fault, dump: fixture('every-peculiarity') });
    expect(broken(report)).toEqual([]);
    expect(report).toMatchObject({ outcome: 'recovered' });
    expect(report.load.acknowledged).toBeGreaterThan(100);
    expect(report.rows.restored).toBeGreaterThan(400);
  },
  rehearsalTimeoutMs,
);

test(
  'a dump that can not be restored by rows is refused before anything is killed',
  async () => {
    await expect(smallRehearsal({ dump: fixture('refused') })).rejects.toMatchObject({
      cause: { name: 'PreflightRefused' },
    });
  },
  rehearsalTimeoutMs,
);
