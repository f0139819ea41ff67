import { tmpdir } from 'node:os';
import { requireSpace, spaceProblem } from '../../local/disk-space';
import { shopData } from '../../local/scenarios/node-recovery/shop-cluster';
import { spaceNeeded } from '../../local/scenarios/node-recovery/space-needed';

const gibibyte = 1_073_741_824;

test('every disk that is too small is named, with what is free, what is needed and what to do', () => {
  const disks = [
    { paths: ['/a', '/b'], freeBytes: gibibyte, neededBytes: 3 * gibibyte },
    { paths: ['/c'], freeBytes: gibibyte, neededBytes: gibibyte },
    { paths: ['/d'], freeBytes: 0, neededBytes: 1 },
  ];
  expect(spaceProblem(disks, 'make room')).toMatchObject({
    name: 'NoDiskSpace',
    message:
      'the disk of /a and /b has 1.0 GiB free, and about 3.0 GiB are needed; the disk of /d has 0 B free, and about 1 B are needed; make room',
  });
  expect(spaceProblem(disks.slice(1, 2), 'make room')).toBeNull();
});

test('needs on one disk are added up', async () => {
  const most = Number.MAX_SAFE_INTEGER / 2;
  await expect(
    requireSpace(
      [
        { path: tmpdir(), bytes: most },
        { path: tmpdir(), bytes: most },
      ],
      'make room',
    ),
  ).rejects.toMatchObject({
    name: 'NoDiskSpace',
    message: expect.stringContaining(`the disk of ${tmpdir()} and ${tmpdir()} has`) as string,
  });
  await expect(requireSpace([{ path: tmpdir(), bytes: 1 }], 'make room')).resolves.toBeUndefined();
});

test('a rehearsal needs more for more rows and for more nodes', () => {
  const spaceOf = (rows: number, nodes: number) => spaceNeeded(nodes, shopData({ rows, shards: 16 }).space);
  const { machineBytes, runBytes } = spaceOf(400_000, 4);
  expect(machineBytes).toBeGreaterThan(gibibyte);
  expect(machineBytes).toBeLessThan(2 * gibibyte);
  expect(runBytes).toBeLessThan(gibibyte / 4);
  expect(spaceOf(800_000, 4).machineBytes).toBeGreaterThan(machineBytes * 1.5);
  expect(spaceOf(400_000, 8).machineBytes).toBeGreaterThan(machineBytes);
});
