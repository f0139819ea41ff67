import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { S3Objects } from '../../adapters/aws/objects';
import { startMoto, type Moto } from '../support/moto';
import { describeObjectsContract } from './objects';

let moto: Moto;
let client: S3Client;
let buckets = 0;

beforeAll(async () => {
  moto = await startMoto();
  client = new S3Client({ ...moto.client, forcePathStyle: true });
});
afterAll(async () => {
  client.destroy();
  await moto.close();
});

describeObjectsContract('S3', async () => {
  buckets += 1;
  const bucket = `objects-${buckets}`;
  await client.send(
    new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' } }),
  );
  return { objects: new S3Objects(client, bucket), close: () => Promise.resolve() };
});
