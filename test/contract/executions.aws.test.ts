import { CreateStateMachineCommand, SFNClient } from '@aws-sdk/client-sfn';
import { StepFunctionsExecutions } from '../../adapters/aws/executions';
import { systemClock } from '../../adapters/system-clock';
import { startMoto, type Moto } from '../support/moto';
import { answering, describeExecutionsContract, waiting } from './executions';

let moto: Moto;
let client: SFNClient;

beforeAll(async () => {
  moto = await startMoto();
  client = new SFNClient(moto.client);
});
afterAll(async () => {
  client.destroy();
  await moto.close();
});

describeExecutionsContract(
  'Step Functions',
  async () => {
    for (const [name, definition] of Object.entries({ answering, waiting })) {
      await client.send(
        new CreateStateMachineCommand({
          name: `rejoin-${name}`,
          roleArn: 'arn:aws:iam::123456789012:role/rejoin',
          definition: JSON.stringify(definition),
        }),
      );
    }
    const prefix = `arn:aws:states:${moto.client.region}:123456789012:stateMachine:rejoin-`;
    return {
      executions: new StepFunctionsExecutions(client, prefix, systemClock),
      close: async () => moto.reset(),
    };
  },
  ['machines run', 'machines fail', 'history', 'exits of a history', 'names stay taken'],
);
