import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Workplace } from '../local/command/support/command-line';

const arn = 'arn:aws:states:eu-central-1:123456789012:execution:rejoin-register-cluster:orders';

/** What Step Functions answers, as far as this command asks. */
function stepFunctions(end: object): Server {
  const answers: Readonly<Record<string, object>> = {
    ListStateMachines: { stateMachines: [{ name: 'rejoin-register-cluster', stateMachineArn: 'arn:machine' }] },
    StartExecution: { executionArn: arn, startDate: 1_790_000_000 },
    DescribeExecution: end,
  };
  return createServer((request, response) => {
    const operation = String(request.headers['x-amz-target']).split('.').at(-1) ?? '';
    response.setHeader('content-type', 'application/x-amz-json-1.0');
    response.end(JSON.stringify(answers[operation] ?? {}));
  });
}

let workplace: Workplace;
beforeEach(() => {
  workplace = new Workplace();
});
afterEach(async () => {
  await workplace.remove();
});

async function register(end: object, ...argv: readonly string[]) {
  const server = stepFunctions(end);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await workplace.start(['register', 'orders', ...argv], {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
    }).ended;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const refused = { status: 'FAILED', error: 'refused', cause: 'node-2 does not answer' };
const recovered = {
  status: 'SUCCEEDED',
  output: JSON.stringify({ outcome: 'recovered', reason: '16 shards on 4 nodes' }),
};

test('--json: one object on standard output and nothing else there', async () => {
  const { code, output, errors } = await register(recovered, '--json');
  expect({ code, errors }).toEqual({ code: 0, errors: `started ${arn}\n` });
  expect(output).toMatch(/^[^\n]+\n$/);
  expect(JSON.parse(output)).toEqual({
    cluster: 'orders',
    execution: arn,
    outcome: 'recovered',
    reason: '16 shards on 4 nodes',
  });
});

test('a cluster that is refused ends with 1, and the reason', async () => {
  expect(await register(refused)).toEqual({
    code: 1,
    output: 'refused: node-2 does not answer\n',
    errors: `started ${arn}\n`,
  });
});

test('without a Region or credentials, what to give is said, and nothing else', async () => {
  const environment = { AWS_EC2_METADATA_DISABLED: 'true', HOME: workplace.folder };
  for (const region of [{}, { AWS_REGION: 'eu-central-1' }]) {
    expect(await workplace.start(['register', 'orders', '--json'], { ...environment, ...region }).ended).toEqual({
      code: 2,
      output: '',
      errors: expect.stringMatching(
        /^rejoin: can't list state machines: [^\n]+; give valid credentials and a Region, by AWS_PROFILE and AWS_REGION for example\n$/,
      ) as string,
    });
  }
});
