import {
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { mockClient } from 'aws-sdk-client-mock';
import { S3Objects } from '../../adapters/aws/objects';
import { expectError } from '../contract/expect-error';

const s3 = mockClient(S3Client);
const objects = new S3Objects(new S3Client({ region: 'eu-central-1' }), 'backups');

function s3Error(name: string, httpStatusCode: number, attempts = 1): Error {
  return Object.assign(new Error(name), { name, $metadata: { httpStatusCode, attempts } });
}

/** What is in the bucket. */
function holds(text: string): void {
  const Body = { transformToByteArray: () => Promise.resolve(Buffer.from(text)) } as unknown as NonNullable<
    GetObjectCommandOutput['Body']
  >;
  s3.on(HeadObjectCommand).resolves({ ContentLength: text.length, LastModified: new Date() });
  s3.on(GetObjectCommand).resolves({ Body });
}

beforeEach(() => {
  s3.reset();
});

describe('a conditional write', () => {
  const write = () => objects.write('a', Buffer.from('mine'), { ifAbsent: true });

  test('whose first answer was lost finds its own object, and has succeeded', async () => {
    s3.on(PutObjectCommand).rejects(s3Error('PreconditionFailed', 412, 2));
    holds('mine');
    await expect(write()).resolves.toBeUndefined();
  });

  test("that finds another one's object has failed", async () => {
    s3.on(PutObjectCommand).rejects(s3Error('PreconditionFailed', 412, 2));
    holds('them');
    await expectError(write(), 'ConditionFailed', "'a'");
  });

  test('that was tried once does not take an equal object for its own', async () => {
    s3.on(PutObjectCommand).rejects(s3Error('PreconditionFailed', 412));
    holds('mine');
    await expectError(write(), 'ConditionFailed', "'a'");
  });

  test('that meets another one is tried again, and not for ever', async () => {
    s3.on(PutObjectCommand).rejectsOnce(s3Error('ConditionalRequestConflict', 409)).resolves({});
    await expect(write()).resolves.toBeUndefined();
    s3.on(PutObjectCommand).rejects(s3Error('ConditionalRequestConflict', 409));
    await expectError(write(), 'ApiThrottled', "'a'");
  });
});

test.each([
  ['SlowDown', 'ApiThrottled'],
  ['AccessDenied', 'ApiRefused'],
] as const)('an object that could not be removed for %s is an error', async (Code, name) => {
  s3.on(DeleteObjectsCommand).resolves({ Errors: [{ Key: 'b', Code, Message: 'no' }] });
  await expectError(objects.remove(['a', 'b']), name, "'b'", Code);
});

test('removal goes in batches of 1,000', async () => {
  s3.on(DeleteObjectsCommand).resolves({});
  await objects.remove(Array.from({ length: 2_001 }, (_, number) => String(number)));
  const sizes = s3.commandCalls(DeleteObjectsCommand).map(({ args }) => args[0].input.Delete?.Objects?.length);
  expect(sizes).toEqual([1_000, 1_000, 1]);
});
