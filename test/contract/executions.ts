import type { Json, JsonObject } from '../../core/json';
import type { ExecutionRecord, Executions } from '../../core/ports/surroundings';
import { expectError } from './expect-error';
import { contractTest, eventually } from './gaps';

export interface ExecutionsSubject {
  /**
   * Knows the machines `answering` (see `answering` below) and `waiting` (see `waiting`), of which no execution exists.
   */
  readonly executions: Executions;
  close(): Promise<void>;
}

/** What a stand-in may lack. */
export type ExecutionsGap = 'machines run' | 'machines fail' | 'history' | 'exits of a history' | 'names stay taken';

/** Answers with its input's `value` after two states, or fails where there is none. */
export const answering: JsonObject = {
  QueryLanguage: 'JSONata',
  StartAt: 'Is there a value?',
  States: {
    'Is there a value?': {
      Type: 'Choice',
      Choices: [{ Condition: '{% $exists($states.input.value) %}', Next: 'Answer' }],
      Default: 'Failed',
    },
    Answer: { Type: 'Pass', Output: { answer: '{% $states.input.value %}' }, End: true },
    Failed: { Type: 'Fail', Error: 'NotFound', Cause: 'there is no value' },
  },
};

/** Waits for an hour. */
export const waiting: JsonObject = {
  QueryLanguage: 'JSONata',
  StartAt: 'Wait',
  States: { Wait: { Type: 'Wait', Seconds: 3600, End: true } },
};

/** What every `Executions` does, whoever runs them. */
export function describeExecutionsContract(
  name: string,
  makeSubject: () => Promise<ExecutionsSubject>,
  gaps: readonly ExecutionsGap[] = [],
): void {
  describe(`Executions: ${name}`, () => {
    let executions: Executions;
    let subject: ExecutionsSubject;

    beforeEach(async () => {
      subject = await makeSubject();
      executions = subject.executions;
    });
    afterEach(async () => {
      await subject.close();
    });

    const startAnswering = async (executionName: string, input: JsonObject): ReturnType<Executions['start']> =>
      executions.start({ machine: 'answering', name: executionName, input });
    const ended = async (executionName: string): Promise<ExecutionRecord | null> =>
      eventually(
        async () => executions.describe('answering', executionName),
        (record) => record !== null && record.status !== 'running',
      );

    test('starts an execution, whose ARN is made of machine and name', async () => {
      const { arn, started } = await startAnswering('first', { value: 1 });
      expect(started).toBe(true);
      expect(arn).toMatch(/^arn:aws:states:[a-z0-9-]+:\d{12}:execution:rejoin-answering:first$/);
    });

    const values: readonly Json[] = [1, 'größe 😀', null, [1, [2]], { deep: { empty: [] } }];
    values.forEach((value) => {
      contractTest(
        gaps,
        'machines run',
        `gives the output of one that succeeded: ${JSON.stringify(value)}`,
        async () => {
          const beforeMs = Date.now();
          await startAnswering('answered', { value });
          const record = await ended('answered');
          expect(record).toMatchObject({ status: 'succeeded', output: { answer: value } });
          expect(Math.abs((record?.startedAtMs ?? 0) - beforeMs)).toBeLessThan(60_000);
          expect(record?.endedAtMs).toBeGreaterThanOrEqual(record?.startedAtMs ?? Infinity);
        },
      );
    });

    contractTest(gaps, 'machines fail', 'says that one failed; it has no output', async () => {
      await startAnswering('fails', {});
      expect(await ended('fails')).toMatchObject({ status: 'failed', output: null });
    });

    test('says that one runs; it has no end', async () => {
      await executions.start({ machine: 'waiting', name: 'waits', input: {} });
      expect(await executions.describe('waiting', 'waits')).toMatchObject({
        status: 'running',
        endedAtMs: null,
        output: null,
      });
    });

    test('knows nothing of one that was never started', async () => {
      expect(await executions.describe('answering', 'none')).toBeNull();
      await expectError(executions.visits('answering', 'none'), 'NotFound', 'none');
    });

    test('names stay taken: while it runs', async () => {
      const first = await executions.start({ machine: 'waiting', name: 'taken', input: { a: 1 } });
      const other = await executions.start({ machine: 'waiting', name: 'taken', input: { a: 2 } });
      expect(other).toEqual({ arn: first.arn, started: false });
      // Step Functions answers the same call as it did first; only the time of the start tells them apart.
      await new Promise((resolve) => setTimeout(resolve, 2_200));
      const same = await executions.start({ machine: 'waiting', name: 'taken', input: { a: 1 } });
      expect(same).toEqual({ arn: first.arn, started: false });
    });

    contractTest(gaps, 'names stay taken', 'names stay taken: after its end', async () => {
      const first = await startAnswering('taken', { value: 1 });
      await ended('taken');
      expect(await startAnswering('taken', { value: 1 })).toEqual({ arn: first.arn, started: false });
      expect(await startAnswering('taken', { value: 2 })).toEqual({ arn: first.arn, started: false });
      expect(await executions.describe('answering', 'taken')).toMatchObject({ output: { answer: 1 } });
    });

    test('a name is taken for one machine only', async () => {
      await executions.start({ machine: 'waiting', name: 'shared', input: {} });
      expect(await startAnswering('shared', { value: 1 })).toMatchObject({ started: true });
    });

    test('lists those that run, by name', async () => {
      expect(await executions.running('waiting')).toEqual([]);
      await executions.start({ machine: 'waiting', name: 'one', input: {} });
      await executions.start({ machine: 'waiting', name: 'two', input: {} });
      expect([...(await executions.running('waiting'))].sort()).toEqual(['one', 'two']);
      expect(await executions.running('answering')).toEqual([]);
    });

    contractTest(gaps, 'history', 'lists the states that it has been in', async () => {
      const beforeMs = Date.now();
      await startAnswering('visited', { value: 1 });
      await ended('visited');
      const visits = await executions.visits('answering', 'visited');
      expect(visits.map(({ state }) => state)).toEqual(['Is there a value?', 'Answer']);
      for (const { enteredAtMs, exitedAtMs } of visits) {
        expect(Math.abs(enteredAtMs - beforeMs)).toBeLessThan(60_000);
        expect(exitedAtMs).toBeGreaterThanOrEqual(enteredAtMs);
      }
    });

    contractTest(gaps, 'exits of a history', 'a state that is not left yet has no exit', async () => {
      await executions.start({ machine: 'waiting', name: 'inside', input: {} });
      const visits = await eventually(
        async () => executions.visits('waiting', 'inside'),
        (seen) => seen.length > 0,
      );
      expect(visits).toEqual([{ state: 'Wait', enteredAtMs: expect.any(Number) as number, exitedAtMs: null }]);
    });

    test('refuses a machine that is not there, and a name that can be none', async () => {
      await expectError(executions.start({ machine: 'none', name: 'x', input: {} }), 'NotFound', 'none');
      await expectError(startAnswering('a name?', {}), 'InvalidInput', 'a name?');
      await expectError(startAnswering('x'.repeat(81), {}), 'InvalidInput');
    });
  });
}
