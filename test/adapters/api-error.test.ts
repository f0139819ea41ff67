import { apiError } from '../../adapters/aws/api-error';
import { RejoinError } from '../../core/errors';

/** An error as the SDK makes it. */
function sdkError(name: string, status: number, facts: object = {}): Error {
  return Object.assign(new Error('what the API said'), { name, $metadata: { httpStatusCode: status }, ...facts });
}

test.each([
  ['a throttle', sdkError('ThrottlingException', 400), 'ApiThrottled'],
  ["EC2's throttle", sdkError('RequestLimitExceeded', 503), 'ApiThrottled'],
  ["Route 53's wait", sdkError('PriorRequestNotComplete', 400), 'ApiThrottled'],
  ['too many calls by status', sdkError('Unknown', 429), 'ApiThrottled'],
  ['a server that failed', sdkError('InternalError', 500), 'ApiThrottled'],
  ['no answer in time', Object.assign(new Error('late'), { name: 'TimeoutError' }), 'ApiThrottled'],
  ['a broken connection', Object.assign(new Error('gone'), { code: 'ECONNRESET' }), 'ApiThrottled'],
  ['no permission', sdkError('AccessDeniedException', 400), 'ApiRefused'],
  ['an order that makes no sense', sdkError('ValidationException', 400), 'ApiRefused'],
  ['no credentials', Object.assign(new Error('none'), { name: 'CredentialsProviderError' }), 'ApiRefused'],
  ['what is no error at all', 'thrown text', 'ApiRefused'],
])('%s is told apart', (_what, thrown, name) => {
  expect(apiError('do it', thrown)).toMatchObject({ name, cause: thrown });
});

test('the message says what was asked, the code and what the API said', () => {
  expect(apiError("stop machine 'i-1'", sdkError('UnauthorizedOperation', 403)).message).toBe(
    "can't stop machine 'i-1': UnauthorizedOperation: what the API said",
  );
});

test("a port's own meaning comes first, and our own errors stay", () => {
  expect(apiError('x', sdkError('NoSuchKey', 404), { NoSuchKey: 'NotFound' }).name).toBe('NotFound');
  const own = new RejoinError('InvalidSettings', 'as it is');
  expect(apiError('x', own, { InvalidSettings: 'NotFound' })).toBe(own);
});
