import type { HostCommands } from '../../core/ports/surroundings';
import { expectError } from './expect-error';
import { contractTest, eventually } from './gaps';

type HostResult = Awaited<ReturnType<HostCommands['result']>>;

export interface HostCommandsSubject {
  readonly commands: HostCommands;
  /** A running machine. */
  readonly machineId: string;
  close(): Promise<void>;
}

/** What a stand-in may lack. */
export type HostCommandsGap = 'machine check';

/** What every `HostCommands` does. */
export function describeHostCommandsContract(
  name: string,
  makeSubject: () => Promise<HostCommandsSubject>,
  gaps: readonly HostCommandsGap[] = [],
): void {
  describe(`HostCommands: ${name}`, () => {
    let subject: HostCommandsSubject;

    beforeEach(async () => {
      subject = await makeSubject();
    });
    afterEach(async () => {
      await subject.close();
    });

    const finished = (commandId: string): Promise<HostResult> =>
      eventually(
        () => subject.commands.result(commandId, subject.machineId),
        (result) => result.state !== 'running',
      );

    test('runs a command and tells how it ended', async () => {
      const { commandId } = await subject.commands.send({
        machineId: subject.machineId,
        command: 'stop-database',
        parameters: {},
      });
      await expect(finished(commandId)).resolves.toMatchObject({ state: 'succeeded' });
    });

    test('gives each command an id of its own', async () => {
      const order = { machineId: subject.machineId, command: 'start-database', parameters: {} } as const;
      const [one, other] = [await subject.commands.send(order), await subject.commands.send(order)];
      expect(one.commandId).not.toBe(other.commandId);
      await expect(finished(one.commandId)).resolves.toMatchObject({ state: 'succeeded' });
      await expect(finished(other.commandId)).resolves.toMatchObject({ state: 'succeeded' });
    });

    test('knows no command that was not sent', async () => {
      await expectError(subject.commands.result('00000000-0000-4000-8000-000000000000', subject.machineId), 'NotFound');
    });

    contractTest(gaps, 'machine check', 'sends nothing to a machine that there is not', async () => {
      const nobody = 'i-0123456789abcdef0';
      await expectError(
        subject.commands.send({ machineId: nobody, command: 'stop-database', parameters: {} }),
        'ApiRefused',
        nobody,
      );
    });
  });
}
