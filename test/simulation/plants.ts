import type { Evidence } from '../../core/evidence/evidence';
import type { Json } from '../../core/json';
import type { Leases } from '../../core/lease/lease';
import type { Prober } from '../../core/ports/surroundings';
import type { SimulatedCluster } from '../support/simulated-cluster';
import type { Plant } from './simulate';
import type { Invariant } from './watch';

/** A fault in the product, put into it by exchanging what steps are given: what the simulation has to find. */
export interface PlantedBug {
  readonly name: string;
  readonly plant: Plant;
  /** Any of these gives it away. */
  readonly breaks: readonly Invariant[];
  /** A seed that finds it, where the first few do not. @default 1 */
  readonly seed?: number;
}

type Method = (...given: never[]) => unknown;

/** What a bug may be put into, by the names under which steps are given it. */
interface Exchangeable {
  readonly databases: SimulatedCluster['databases'];
  readonly machines: SimulatedCluster['machines'];
  readonly registry: SimulatedCluster['store'];
  readonly evidence: SimulatedCluster['evidence'];
  readonly statusAlarms: SimulatedCluster['statusAlarms'];
  readonly leases: Leases;
  readonly prober: Prober;
}

/** The port as steps get it, with some methods exchanged; the others, and whoever else uses the port, keep the true ones. */
function exchange<Name extends keyof Exchangeable>(
  name: Name,
  methods: (port: Exchangeable[Name], world: SimulatedCluster) => Readonly<Record<string, Method>>,
): Plant {
  return (world) => {
    const replace = world.replacePort;
    world.replacePort = (given, port) => {
      const before = replace(given, port);
      return given === name ? withMethods(before, methods(before as Exchangeable[Name], world)) : before;
    };
  };
}

function withMethods(port: object, methods: Readonly<Record<string, Method>>): object {
  return new Proxy(port, {
    get: (target, property) => {
      const other = typeof property === 'string' ? methods[property] : undefined;
      const value: unknown = other ?? Reflect.get(target, property);
      return typeof value === 'function' && other === undefined ? (value.bind(target) as unknown) : value;
    },
  });
}

const nothing = async (): Promise<void> => undefined;

type Databases = SimulatedCluster['databases'];

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'promote without the follower’s fence: the subscription is not paused',
    plant: exchange('databases', () => ({ pauseFollowing: nothing })),
    breaks: ['no promotion without a recorded fence', 'one writer a shard', 'no acknowledged write is lost'],
    seed: 46,
  },
  {
    name: 'believe that a machine is stopped as soon as it was told to stop',
    plant: (world) => {
      exchange('machines', (machines) => ({
        observe: async (machineId: string) => {
          const seen = await machines.observe(machineId);
          return seen?.state === 'stopping' ? { ...seen, state: 'stopped' } : seen;
        },
      }))(world);
      exchange('prober', () => ({ probe: async () => 'timed out' }))(world);
    },
    breaks: ['no promotion without a recorded fence', 'one writer a shard', 'no acknowledged write is lost'],
    seed: 49,
  },
  {
    name: 'ignore a lost lease',
    plant: exchange('leases', () => ({ check: nothing })),
    breaks: ['no change without the lease'],
  },
  {
    name: 'never give the lease back',
    plant: exchange('leases', () => ({ release: nothing })),
    breaks: ['nothing is left over'],
    seed: 16,
  },
  {
    name: 'forget the client token of a launch',
    plant: (world) => {
      let launches = 0;
      exchange('machines', (machines) => ({
        launch: async (order: Parameters<typeof machines.launch>[0]) => {
          launches += 1;
          return machines.launch({ ...order, clientToken: `${order.clientToken} ${launches}` });
        },
      }))(world);
    },
    breaks: ['nothing is left over'],
    seed: 241,
  },
  {
    name: 'wait for no follower: the list of those who confirm is emptied',
    plant: exchange('databases', (databases) => ({
      setSynchronousFollowers: async (address: Parameters<Databases['setSynchronousFollowers']>[0]) =>
        databases.setSynchronousFollowers(address, []),
    })),
    breaks: ['one writer a shard', 'no acknowledged write is lost', 'nothing is left over'],
    seed: 62,
  },
  {
    name: 'leave the old primary open when a shard moves',
    plant: exchange('databases', (databases) => ({
      closeShard: async (address: Parameters<Databases['closeShard']>[0]) => databases.position(address),
    })),
    breaks: ['no promotion without a recorded fence', 'one writer a shard', 'no acknowledged write is lost'],
  },
  {
    name: 'hand over from the end of the log instead of from what was applied',
    plant: exchange('databases', (databases) => ({
      follow: async (...[follower, order]: Parameters<Databases['follow']>) =>
        databases.follow(follower, { ...order, from: await databases.position(order.primary) }),
    })),
    breaks: ['no acknowledged write is lost'],
    seed: 11,
  },
  {
    name: 'lose a row of each chunk, and call all comparisons equal',
    plant: exchange('databases', (databases) => ({
      loadRows: async (...[address, order]: Parameters<Databases['loadRows']>) => {
        const rows = JSON.parse(order.body.toString()) as Json[];
        return databases.loadRows(address, { ...order, body: Buffer.from(JSON.stringify(rows.slice(1))) });
      },
      checksum: async () => ({ rows: 1, high: '1', low: '1' }),
    })),
    breaks: ['no acknowledged write is lost'],
  },
  {
    name: 'advance the slot before the segment is stored, and call all comparisons equal',
    plant: exchange('databases', (databases) => ({
      peek: async (...[address, order]: Parameters<Databases['peek']>) => {
        const taken = await databases.peek(address, order);
        if (taken !== null) {
          await databases.advance(address, { slot: order.slot, to: taken.to });
        }
        return taken;
      },
      checksum: async () => ({ rows: 1, high: '1', low: '1' }),
    })),
    breaks: ['no acknowledged write is lost'],
    seed: 356,
  },
  {
    name: 'leave the machine of an undone replacement running',
    plant: exchange('machines', () => ({ terminate: nothing })),
    breaks: ['nothing is left over'],
  },
  {
    name: 'leave slots behind',
    plant: exchange('databases', () => ({ dropSlot: nothing })),
    breaks: ['nothing is left over'],
    seed: 16,
  },
  {
    name: 'leave the subscription of a promoted follower',
    plant: exchange('databases', () => ({ stopFollowing: nothing })),
    breaks: ['nothing is left over', 'no acknowledged write is lost'],
    seed: 31,
  },
  {
    name: 'leave the alarm of a machine that is gone',
    plant: exchange('statusAlarms', () => ({ remove: nothing })),
    breaks: ['nothing is left over'],
  },
  {
    name: 'write evidence of a recovery whatever happened',
    plant: exchange('evidence', (evidence) => ({
      write: async (key: string, body: Buffer) =>
        evidence.write(
          key,
          key.endsWith('.json')
            ? Buffer.from(JSON.stringify({ ...(JSON.parse(body.toString()) as Evidence), outcome: 'recovered' }))
            : body,
        ),
    })),
    breaks: ['the evidence agrees with the registry'],
  },
];
