import type { Json, JsonObject } from '../../../core/json';
import type { ResultWriter } from '../definition';
import { StateFailure } from '../failure';
import type { Child } from '../run/thread';
import { isJsonObject } from '../template';
import type { ItemSource } from '../world';
import type { ChildInput } from './batch-items';

/** One child of a map run; `child` is null where the run ended before it was started. */
export interface ChildOutcome {
  readonly input: ChildInput;
  readonly child: Child | null;
}

type FileKind = 'SUCCEEDED' | 'FAILED' | 'PENDING';

const kinds: readonly FileKind[] = ['SUCCEEDED', 'FAILED', 'PENDING'];

function kindOf({ child }: ChildOutcome): FileKind {
  const status = child?.result?.status ?? null;
  if (status === null) {
    return 'PENDING';
  }
  return status === 'SUCCEEDED' ? 'SUCCEEDED' : 'FAILED';
}

/** What a map run's children came to, as the state's result. A failed child is always given whole. */
export function resultsInState(
  outcomes: readonly ChildOutcome[],
  transformation: ResultWriter['transformation'],
  stateMachineArn: string,
): readonly Json[] {
  return outcomes.flatMap((outcome) => transform(outcome, transformation, stateMachineArn));
}

/**
 * Writes the results of a map run to S3: a file for each kind of ending, and a manifest that names them.
 *
 * @returns bucket and key of the manifest
 * @throws StateFailure States.ResultWriterFailed
 */
export async function writeResults(
  outcomes: readonly ChildOutcome[],
  mapRun: { readonly arn: string; readonly id: string; readonly stateMachineArn: string },
  writer: ResultWriter,
  args: Json,
  objects: ItemSource,
): Promise<{ readonly Bucket: string; readonly Key: string }> {
  const bucket = isJsonObject(args) ? args['Bucket'] : undefined;
  const prefix = isJsonObject(args) ? (args['Prefix'] ?? '') : '';
  if (typeof bucket !== 'string' || bucket === '' || typeof prefix !== 'string') {
    throw failed(
      `the Arguments of the ResultWriter need the text Bucket, and may have the text Prefix, but are ${JSON.stringify(args)}`,
    );
  }
  const folder = `${prefix === '' ? '' : `${prefix.replace(/\/$/, '')}/`}${mapRun.id}`;
  const files: Record<FileKind, { Key: string; Size: number }[]> = { FAILED: [], PENDING: [], SUCCEEDED: [] };
  try {
    for (const kind of kinds) {
      const ofKind = outcomes.filter((outcome) => kindOf(outcome) === kind);
      if (ofKind.length > 0) {
        const results = ofKind.flatMap((outcome) => transform(outcome, writer.transformation, mapRun.stateMachineArn));
        const body = Buffer.from(
          writer.outputType === 'JSON'
            ? JSON.stringify(results)
            : results.map((each) => `${JSON.stringify(each)}\n`).join(''),
        );
        const key = `${folder}/${kind}_0.${writer.outputType.toLowerCase()}`;
        await objects.putObject(bucket, key, body);
        files[kind].push({ Key: key, Size: body.length });
      }
    }
    const manifest = { DestinationBucket: bucket, MapRunArn: mapRun.arn, ResultFiles: files };
    await objects.putObject(bucket, `${folder}/manifest.json`, Buffer.from(JSON.stringify(manifest)));
  } catch (thrown) {
    throw failed(thrown instanceof Error ? thrown.message : String(thrown));
  }
  return { Bucket: bucket, Key: `${folder}/manifest.json` };
}

const failed = (cause: string): StateFailure => new StateFailure('States.ResultWriterFailed', cause);

function transform(
  outcome: ChildOutcome,
  transformation: ResultWriter['transformation'],
  stateMachineArn: string,
): readonly Json[] {
  const result = outcome.child?.result ?? null;
  if (transformation === 'NONE' || result?.status !== 'SUCCEEDED') {
    return [describe(outcome, stateMachineArn)];
  }
  return transformation === 'FLATTEN' && Array.isArray(result.output)
    ? (result.output as readonly Json[])
    : [result.output];
}

/** A child execution as AWS's result files describe it. */
function describe({ input, child }: ChildOutcome, stateMachineArn: string): JsonObject {
  const asked = { Input: input.payload.text, InputDetails: { Included: true } };
  const redrive = (status: string): JsonObject => ({ RedriveCount: 0, RedriveStatus: status });
  const result = child?.result ?? null;
  if (child === null || result === null) {
    return { ...asked, ...redrive('NOT_REDRIVABLE'), StateMachineArn: stateMachineArn, Status: 'PENDING' };
  }
  const succeeded = result.status === 'SUCCEEDED';
  return {
    ...(result.cause === null ? {} : { Cause: result.cause }),
    ...(result.error === null ? {} : { Error: result.error }),
    ExecutionArn: child.arn,
    ...asked,
    Name: child.name,
    ...(succeeded ? { Output: JSON.stringify(result.output), OutputDetails: { Included: true } } : {}),
    ...redrive(succeeded ? 'NOT_REDRIVABLE' : 'REDRIVABLE'),
    StartDate: new Date(child.startedAtMs).toISOString(),
    StateMachineArn: stateMachineArn,
    Status: result.status,
    StopDate: new Date(result.stoppedAtMs).toISOString(),
  };
}
