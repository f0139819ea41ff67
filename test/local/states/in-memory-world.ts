import type { Json } from '../../../core/json';
import type { Random } from '../../../core/ports/clock';
import type { Execution, ItemSource, ListedObject, TaskCall, World } from '../../../local/states/execution';
import { startExecution } from '../../../local/states/execution';
import { loadStateMachine } from '../../../local/states/state-machine';
import { VirtualClock } from '../../../local/states/virtual-clock';

export const machineArn = 'arn:aws:states:eu-central-1:111111111111:stateMachine:tested';

/** Numbers that are the same for the same seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    next: () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
  };
}

/** Buckets in memory. */
class MemoryObjects implements ItemSource {
  readonly bodies = new Map<string, Buffer>();

  async getObject(bucket: string, key: string): Promise<Buffer> {
    const body = this.bodies.get(`${bucket}/${key}`);
    if (body === undefined) {
      throw new Error('The specified key does not exist.');
    }
    return body;
  }

  async listObjects(bucket: string, prefix: string): Promise<readonly ListedObject[]> {
    return [...this.bodies]
      .filter(([name]) => name.startsWith(`${bucket}/${prefix}`))
      .map(([name, body]) => ({
        key: name.slice(bucket.length + 1),
        sizeBytes: body.length,
        etag: '"etag"',
        writtenAtMs: 1_700_000_000_500,
      }))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  async putObject(bucket: string, key: string, body: Buffer): Promise<void> {
    this.bodies.set(`${bucket}/${key}`, body);
  }

  json(name: string): unknown {
    return JSON.parse(this.bodies.get(name)?.toString('utf8') ?? 'null');
  }
}

export interface TestWorld extends World {
  readonly clock: VirtualClock;
  readonly objects: MemoryObjects;
  /** All calls of tasks, in order. */
  readonly calls: TaskCall[];
  /** The executions that recorded events: the first is the one that was started. */
  readonly executions: Execution[];
}

/** A world on a virtual clock, with the given answer to each task. */
export function testWorld(answer: (call: TaskCall) => Json | Promise<Json> = () => ({}), seed = 1): TestWorld {
  const calls: TaskCall[] = [];
  const executions: Execution[] = [];
  return {
    clock: new VirtualClock(),
    random: seededRandom(seed),
    objects: new MemoryObjects(),
    calls,
    executions,
    tasks: {
      run: async (call) => {
        calls.push(call);
        return answer(call);
      },
    },
    onEvent: (execution, event) => {
      if (event.id === 1) {
        executions.push(execution);
      }
    },
  };
}

export function start(
  definition: object,
  world: World,
  input: Json = {},
  type: 'STANDARD' | 'EXPRESS' = 'STANDARD',
): Execution {
  return startExecution(loadStateMachine({ name: 'tested', arn: machineArn, definition, type }), {
    name: 'run-1',
    input,
    world,
  });
}

/** A JSONata machine of these states, starting at the first. */
export const machineOf = (states: Readonly<Record<string, object>>, more: object = {}): object => ({
  QueryLanguage: 'JSONata',
  StartAt: Object.keys(states)[0],
  States: states,
  ...more,
});
