import {
  DescribeExecutionCommand,
  ListStateMachinesCommand,
  type SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { messageOf, RejoinError } from '../../core/errors';
import type { JsonObject } from '../../core/json';
import { ask } from './api-error';

/** How an execution ended, or that it has not. */
export interface ExecutionEnd {
  readonly status: 'running' | 'succeeded' | 'failed';
  readonly outcome: string;
  readonly reason: string;
}

/** Errors by which the SDK and AWS say that they don't know who asks, or where. */
const unknownCaller = /CredentialsProviderError|ExpiredToken|UnrecognizedClient|InvalidClientTokenId|Region is missing/;

/** As `ask`; a person who gave no valid credentials is told how. */
async function askForOperator<T>(asked: string, answer: Promise<T>): Promise<T> {
  try {
    return await ask(asked, answer);
  } catch (thrown) {
    throw unknownCaller.test(messageOf(thrown))
      ? new RejoinError(
          'ApiRefused',
          `${messageOf(thrown)}; give valid credentials and a Region, by AWS_PROFILE and AWS_REGION for example`,
          { cause: thrown },
        )
      : thrown;
  }
}

/** What the operator's command line asks of Step Functions. Unlike a step, it is not told where the state machines are. */
export class OperatorExecutions {
  constructor(private readonly client: SFNClient) {}

  /** @throws NotFound when no such workflow is deployed in this account and Region */
  async start(workflow: string, name: string, input: JsonObject): Promise<string> {
    const stateMachineArn = await this.find(`rejoin-${workflow}`);
    const { executionArn } = await askForOperator(
      `start execution '${name}' of '${workflow}'`,
      this.client.send(new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) })),
    );
    return executionArn ?? '';
  }

  async end(executionArn: string): Promise<ExecutionEnd> {
    const { status, output, error, cause } = await askForOperator(
      `describe execution ${executionArn}`,
      this.client.send(new DescribeExecutionCommand({ executionArn })),
    );
    if (status === 'RUNNING' || status === 'PENDING_REDRIVE') {
      return { status: 'running', outcome: '', reason: '' };
    }
    if (status === 'SUCCEEDED') {
      const said = JSON.parse(output ?? '{}') as { readonly outcome?: string; readonly reason?: string };
      return { status: 'succeeded', outcome: said.outcome ?? '', reason: said.reason ?? '' };
    }
    return { status: 'failed', outcome: error ?? String(status).toLowerCase(), reason: cause ?? '' };
  }

  private async find(name: string): Promise<string> {
    let token: string | undefined;
    do {
      const page = await askForOperator(
        'list state machines',
        this.client.send(new ListStateMachinesCommand(token === undefined ? {} : { nextToken: token })),
      );
      const found = page.stateMachines?.find((machine) => machine.name === name)?.stateMachineArn;
      if (found !== undefined) {
        return found;
      }
      token = page.nextToken;
    } while (token !== undefined);
    throw new RejoinError(
      'NotFound',
      `there is no state machine '${name}' in this account and Region; deploy it with 'npx cdk deploy --all', or check AWS_PROFILE and AWS_REGION`,
    );
  }
}
