import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import * as z from 'zod';
import { RejoinError } from '../../core/errors';
import type { ProbeAnswer, Prober } from '../../core/ports/surroundings';
import { ask } from './api-error';

const answerSchema = z.object({ answer: z.enum(['open', 'refused', 'timed out']) });
const failureSchema = z.object({ errorType: z.string().default('Error'), errorMessage: z.string().default('') });

/** Lambda functions, one in each site's subnet. */
export class LambdaProber implements Prober {
  /** @param functions site → the name of its prober's function */
  constructor(
    private readonly client: LambdaClient,
    private readonly functions: Readonly<Record<string, string>>,
  ) {}

  async probe(target: {
    readonly fromSite: string;
    readonly host: string;
    readonly port: number;
    readonly timeoutMs: number;
  }): Promise<ProbeAnswer> {
    const { fromSite, ...input } = target;
    const functionName = this.functions[fromSite];
    if (functionName === undefined) {
      const sites = Object.keys(this.functions).join(', ');
      throw new RejoinError('NotFound', `site '${fromSite}' has no prober (sites: ${sites || 'none'})`);
    }
    const asked = `probe ${target.host}:${target.port} from site '${fromSite}' by function '${functionName}'`;
    const { FunctionError, Payload } = await ask(
      asked,
      this.client.send(new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify(input) })),
      { ResourceNotFoundException: 'NotFound' },
    );
    const payload = jsonOf(Payload?.transformToString() ?? '');
    if (FunctionError !== undefined) {
      const { errorType, errorMessage } = failureSchema.catch({ errorType: 'Error', errorMessage: '' }).parse(payload);
      throw new RejoinError('ApiRefused', `can't ${asked}: ${errorType}: ${errorMessage || FunctionError}`);
    }
    const parsed = answerSchema.safeParse(payload);
    if (!parsed.success) {
      throw new RejoinError('ApiRefused', `can't ${asked}: it answered ${JSON.stringify(payload)}`);
    }
    return parsed.data.answer;
  }
}

/** @returns null for what is no JSON */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
